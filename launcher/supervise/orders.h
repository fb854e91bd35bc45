/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <signal.h>
#include <stdbool.h>

/**
 * PvNode: a link, folder or file of the container's root that needs no mount; or one that goes.
 * @dest: where
 * @target: of a link, or NULL
 * @fd: of a file's contents, or -1
 * @mode: of a folder
 * @removed: the link or file that is there, if there is one, goes
 */
typedef struct
{
  const char *dest;
  const char *target;
  int fd;
  unsigned mode;
  bool removed;
} PvNode;

/**
 * PvOrders: what the supervisor inside is told.
 * @link: the socket to the supervisor outside
 * @error_output: the caller's standard error; bubblewrap's own goes elsewhere
 * @terminal: the program's standard input, output and error, or -1: they are this process's
 * @wrapped: the program is a shell that waits for another one
 * @process_oriented: the leases are no OFD locks: lock them again
 * @mask: the signals that are blocked in the program
 * @terminate_ms, @terminate_idle_ms: see PvEscalation
 * @exit_with_parent: whether the program is asked to end when the supervisor outside has gone
 * @leases: (array): fds that this process holds
 * @kept: (array): fds that the program gets
 * @expected: (array): `DEV:INO:PATH`: what must have been mounted at PATH
 * @nodes: (array): what is to be made, in this order
 * @program: (array zero-terminated=1): the program and its arguments
 */
typedef struct
{
  int link;
  int error_output;
  int terminal;
  bool wrapped;
  bool process_oriented;
  sigset_t mask;
  int terminate_ms;
  int terminate_idle_ms;
  bool exit_with_parent;
  int *leases;
  int n_leases;
  int *kept;
  int n_kept;
  char **expected;
  int n_expected;
  PvNode *nodes;
  int n_nodes;
  char **program;
} PvOrders;

bool pv_orders_read (PvOrders *orders, int argc, char **argv);
