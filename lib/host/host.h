/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/identity.h"
#include "host/path.h"

/**
 * PvHostFile: one of the files of the host's `/etc` that a container gets.  Immutable.
 * @name: below `/etc`
 * @folder: (nullable): the folder outside `/etc` that the file really lies in, if it is to stay
 *  current
 * @real: (nullable): where the file really lies, if it is to stay current and is a link
 * @data: (nullable): its contents, if it is a link that leads out of `/etc`
 *
 * With none of them, it is a file in `/etc` itself.
 */
typedef struct
{
  char *name;
  PvHostPath *folder;
  char *real;
  GBytes *data;
} PvHostFile;

/**
 * PvHost: what the plan needs to know of the host, gathered once.  Immutable.
 * @environment: (array zero-terminated=1): of the caller
 * @identity: who the caller is
 * @home: (nullable): the home folder; %NULL if there is none, or if it does not exist
 * @home_name: (type filename): its path, even if it does not exist
 * @cwd: (nullable): the current folder; %NULL if it was deleted
 * @runtime_dir: (nullable): `$XDG_RUNTIME_DIR`
 * @tmp: (nullable): `/tmp`
 * @wayland: (nullable): a Wayland socket that is named by an absolute path
 * @xauthority: (nullable): `$XAUTHORITY`
 * @files: (element-type PvHostFile): files of `/etc`
 * @zone: (nullable): the name of the time zone, such as `Europe/Berlin`, if `/etc/localtime` is a
 *  link that says so
 */
typedef struct
{
  char **environment;
  PvIdentity *identity;
  PvHostPath *home;
  char *home_name;
  PvHostPath *cwd;
  PvHostPath *runtime_dir;
  PvHostPath *tmp;
  PvHostPath *wayland;
  PvHostPath *xauthority;
  GPtrArray *files;
  char *zone;
} PvHost;

PvHost *pv_host_gather (char **environment, GError **error);
void pv_host_free (PvHost *host);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvHost, pv_host_free)
