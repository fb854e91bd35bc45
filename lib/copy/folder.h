/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/stat.h>

#include "copy/names.h"

/**
 * PvFolderFds: a folder and its copy, both open for reading.  Immutable.
 */
typedef struct
{
  gatomicrefcount refs;
  int source;
  int dest;
} PvFolderFds;

typedef struct PvFolder PvFolder;

/**
 * PvFolder: a folder that is copied, whether or not it is open.  Immutable, but for @next.
 * @parent: (nullable): owned
 * @name: (type filename) (nullable): in @parent
 * @excluded: (nullable) (element-type filename): relative to it, not copied; borrowed strings
 * @names: what is copied
 * @st: of the source
 * @dest_st: of the copy
 * @next: the first of `names->folders` that nobody has entered; for the one who walks only
 */
struct PvFolder
{
  gatomicrefcount refs;
  PvFolder *parent;
  char *name;
  GPtrArray *excluded;
  PvNames *names;
  struct stat st;
  struct stat dest_st;
  guint next;
};

PvFolderFds *pv_folder_fds_ref (PvFolderFds *fds);
void pv_folder_fds_unref (PvFolderFds *fds);

PvFolderFds *pv_folder_open_top (int source_fd, int dest_fd, GError **error);
gboolean pv_folder_open_child (const PvFolderFds *fds, const char *name, int *ret_errno,
                               PvFolderFds **ret_fds, GError **error);
PvFolderFds *pv_folder_open_parent (const PvFolderFds *fds, const PvFolder *parent, GError **error);

PvFolder *pv_folder_new_top (const PvFolderFds *fds, const char *const *excluded, GError **error);
PvFolder *pv_folder_new_child (PvFolder *parent, const char *name, const PvFolderFds *fds,
                               GError **error);
PvFolder *pv_folder_ref (PvFolder *folder);
void pv_folder_unref (PvFolder *folder);
gboolean pv_folder_make_folders (const PvFolder *folder, const PvFolderFds *fds, GError **error);
char *pv_folder_get_path (const PvFolder *folder, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvFolder, pv_folder_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (PvFolderFds, pv_folder_fds_unref)
