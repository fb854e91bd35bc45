/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

/**
 * PvIdentity: who the program is, as far as the host's user database says so.  Immutable.
 * @uid, @gid: real ids
 * @user: the user's name
 * @group: the name of @gid
 * @gecos: the user's full name
 * @home: (type filename): the home folder of the database
 * @host_passwd, @host_group: the text of the host's files; empty if they could not be read
 */
typedef struct
{
  uid_t uid;
  gid_t gid;
  char *user;
  char *group;
  char *gecos;
  char *home;
  char *host_passwd;
  char *host_group;
} PvIdentity;

PvIdentity *pv_identity_get (int etc_fd, uid_t uid, gid_t gid);
void pv_identity_free (PvIdentity *identity);
char *pv_identity_format_passwd (const PvIdentity *identity, const char *home, const char *shell);
char *pv_identity_format_group (const PvIdentity *identity);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvIdentity, pv_identity_free)
