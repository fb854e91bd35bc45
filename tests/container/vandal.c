/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A static program that tries to change all that it finds in a folder, in every way that it knows,
 * and prints how many of the attempts were granted.
 *
 *   vandal FOLDER… */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static unsigned int granted;

static void
count (int result)
{
  granted += result >= 0;
}

/* Of an fd that was opened for nothing but to read. */
static void
change_opened (int folder, const char *name)
{
  const struct timespec times[] = { { .tv_sec = 1 }, { .tv_sec = 2 } };
  int fd = openat (folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

  if (fd < 0)
    return;
  count (fchmod (fd, 0707));
  count (fchown (fd, getuid (), getgid ()));
  count (futimens (fd, times));
  count (fsetxattr (fd, "user.vandal", "x", 1, 0));
  count (fremovexattr (fd, "user.test"));
  close (fd);
}

static void
write_into (int folder, const char *name)
{
  static const int flags[] = { O_WRONLY, O_RDWR | O_APPEND, O_WRONLY | O_TRUNC };
  struct stat st;

  /* Who writes into a pipe changes nothing on disk. */
  if (fstatat (folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG (st.st_mode))
    return;
  for (unsigned int i = 0; i < sizeof flags / sizeof flags[0]; i++)
    {
      int fd = openat (folder, name, flags[i] | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

      if (fd < 0)
        continue;
      count ((int) write (fd, "vandal", 6));
      count (ftruncate (fd, 3));
      count (fallocate (fd, 0, 0, 4096));
      close (fd);
    }
}

static void
change (int folder, const char *name)
{
  const struct timespec times[] = { { .tv_sec = 3 }, { .tv_sec = 4 } };

  change_opened (folder, name);
  write_into (folder, name);
  count (fchmodat (folder, name, 0770, 0));
  count (fchownat (folder, name, getuid (), getgid (), AT_SYMLINK_NOFOLLOW));
  count (utimensat (folder, name, times, AT_SYMLINK_NOFOLLOW));
}

/* A hard link is a name through which somebody could still write later. */
static void
move_and_delete (int folder, const char *name, bool is_folder)
{
  count (linkat (folder, name, folder, "vandal-link", 0));
  count (unlinkat (folder, "vandal-link", 0));
  count (symlinkat ("/", folder, "vandal-symlink"));
  count (unlinkat (folder, "vandal-symlink", 0));
  count (mkdirat (folder, "vandal-folder", 0755));
  count (unlinkat (folder, "vandal-folder", AT_REMOVEDIR));
  if (renameat (folder, name, folder, "vandal-name") == 0)
    {
      granted++;
      name = "vandal-name";
    }
  count (unlinkat (folder, name, is_folder ? AT_REMOVEDIR : 0));
}

static void
visit (int parent, const char *name)
{
  int fd = openat (parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *folder = fd < 0 ? NULL : fdopendir (fd);
  const struct dirent *entry;

  if (folder == NULL)
    return;
  while ((entry = readdir (folder)) != NULL)
    {
      bool is_folder = entry->d_type == DT_DIR;

      if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0
          || strncmp (entry->d_name, "vandal", 6) == 0)
        continue;
      change (fd, entry->d_name);
      if (is_folder)
        visit (fd, entry->d_name);
      move_and_delete (fd, entry->d_name, is_folder);
    }
  change_opened (fd, ".");
  closedir (folder);
}

int
main (int argc, char **argv)
{
  for (int i = 1; i < argc; i++)
    visit (AT_FDCWD, argv[i]);
  printf ("%u\n", granted);
  return 0;
}
