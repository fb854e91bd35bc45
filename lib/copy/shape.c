/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a mutable copy, or what is left of one, looks like.  The folder in which copies are made can
 * be any, and somebody may have folders of his own in it whose names begin as those of copies do. */
#include "copy/shape.h"

#include "base/dir.h"
#include "copy/disk.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Six random letters and digits: mkdtemp(3). */
#define RANDOM_LENGTH 6

/* At the top of a copy of ours or of pressure-vessel, be it of a merged /usr or of a complete root. */
static const char *const known[] = {
  PV_COPY_LOCK, "bin",    "boot",  "dev",   "etc",   "home",   "keep",  "lib",
  "lib32",      "lib64",  "libx32", "lost+found", "m", "media", "mnt", "opt",
  "overrides",  "proc",   "root",  "run",   "sbin",  "srv",    "sys",   "tmp",
  "upper",      "usr",    "var",   "work",  NULL,
};

static gboolean
has_lock_file (int fd)
{
  g_autofree char *target = pv_dir_read_link (fd, PV_COPY_LOCK);

  return g_strcmp0 (target, "usr/" PV_COPY_LOCK) == 0
         || faccessat (fd, "usr/" PV_COPY_LOCK, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* @numbers: whether names can be numbers, too: what lay deep is moved up under one */
static gboolean
has_nothing_else (int fd, gboolean numbers)
{
  g_autoptr (GPtrArray) entries = pv_dir_list (fd, NULL);

  for (guint i = 0; entries != NULL && i < entries->len; i++)
    {
      const char *name = ((const PvEntry *) entries->pdata[i])->name;

      if (!g_strv_contains (known, name)
          && !(numbers && strspn (name, "0123456789") == strlen (name)))
        return FALSE;
    }
  return entries != NULL;
}

/* As mkdtemp(3) makes them, and no word of any language. */
static gboolean
is_private_and_random (int fd, const char *random)
{
  struct stat st;

  return strlen (random) == RANDOM_LENGTH
         && strspn (random, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS) == RANDOM_LENGTH
         && strspn (random, G_CSET_a_2_z) < RANDOM_LENGTH && fstat (fd, &st) == 0
         && (st.st_mode & 07777) == 0700;
}

/**
 * pv_shape_is_copy:
 * @fd: a folder that is named as copies are
 * @name: (type filename): its name
 *
 * Returns: whether it can be one, or a part of one: it has a copy's lock file, or nothing that a
 *  copy has not at its top, or is private and has such a name as copies get
 */
gboolean
pv_shape_is_copy (int fd, const char *name)
{
  return has_lock_file (fd) || has_nothing_else (fd, FALSE)
         || is_private_and_random (fd, name + strlen (PV_COPY_PREFIX));
}

/**
 * pv_shape_is_trash:
 * @fd: a folder that is named as the trash is
 * @name: (type filename): its name
 *
 * Returns: whether it can be what is left of a copy
 */
gboolean
pv_shape_is_trash (int fd, const char *name)
{
  const char *random = name + strlen (PV_COPY_TRASH);

  return strspn (random, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS) == RANDOM_LENGTH
         || has_lock_file (fd) || has_nothing_else (fd, TRUE);
}
