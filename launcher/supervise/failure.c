/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why a program could not be started.  The kernel says "No such file or directory" for a program
 * that is there but whose loader or interpreter is not: this looks into the file. */
#include "supervise/failure.h"
#include "supervise/message.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel reads as much of a script's first line: BINPRM_BUF_SIZE. */
#define HEAD_SIZE 256

static bool
read_at (int fd, void *buffer, size_t size, uint64_t offset)
{
  return pread (fd, buffer, size, (off_t) offset) == (ssize_t) size;
}

static bool
read_string (int fd, uint64_t offset, uint64_t size, char out[PATH_MAX])
{
  if (size == 0 || size >= PATH_MAX || !read_at (fd, out, size, offset))
    return false;
  out[size] = '\0';
  return true;
}

/* The two classes differ in the width of their fields, not in their names. */
#define DEFINE_FIND_INTERP(BITS)                                                                   \
  static bool find_interp_##BITS (int fd, char out[PATH_MAX])                                      \
  {                                                                                                \
    Elf##BITS##_Ehdr header;                                                                       \
    Elf##BITS##_Phdr segment;                                                                      \
                                                                                                   \
    if (!read_at (fd, &header, sizeof header, 0))                                                  \
      return false;                                                                                \
    for (uint64_t i = 0; i < header.e_phnum; i++)                                                  \
      {                                                                                            \
        if (!read_at (fd, &segment, sizeof segment, header.e_phoff + i * sizeof segment))          \
          return false;                                                                            \
        if (segment.p_type == PT_INTERP)                                                           \
          return read_string (fd, segment.p_offset, segment.p_filesz, out);                        \
      }                                                                                            \
    return false;                                                                                  \
  }

DEFINE_FIND_INTERP (32)
DEFINE_FIND_INTERP (64)

static bool
find_shebang (const char head[HEAD_SIZE + 1], char out[PATH_MAX])
{
  size_t start = 2 + strspn (head + 2, " \t");
  size_t length = strcspn (head + start, " \t\n");

  memcpy (out, head + start, length);
  out[length] = '\0';
  return length > 0;
}

/**
 * find_interpreter:
 * @ret_kind: (out): what to call it
 *
 * Returns: whether @path names another program that must run it
 */
static bool
find_interpreter (const char *path, char out[PATH_MAX], const char **ret_kind)
{
  char head[HEAD_SIZE + 1] = "";
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  bool found = false;

  if (fd < 0)
    return false;
  if (pread (fd, head, HEAD_SIZE, 0) >= 4)
    {
      *ret_kind = head[0] == '#' ? "interpreter" : "loader";
      if (memcmp (head, "#!", 2) == 0)
        found = find_shebang (head, out);
      else if (memcmp (head, ELFMAG, SELFMAG) == 0 && head[EI_CLASS] == ELFCLASS64)
        found = find_interp_64 (fd, out);
      else if (memcmp (head, ELFMAG, SELFMAG) == 0 && head[EI_CLASS] == ELFCLASS32)
        found = find_interp_32 (fd, out);
    }
  close (fd);
  return found;
}

/**
 * pv_failure_is_script:
 *
 * Returns: whether @path is a text that a shell could run: it is no ELF file, and its first line
 *  has no NUL
 */
bool
pv_failure_is_script (const char *path)
{
  char head[HEAD_SIZE];
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  ssize_t got;
  const char *end;

  if (fd < 0)
    return false;
  got = pread (fd, head, sizeof head, 0);
  close (fd);
  if (got < 0 || (got >= SELFMAG && memcmp (head, ELFMAG, SELFMAG) == 0))
    return false;
  end = memchr (head, '\n', (size_t) got);
  return memchr (head, '\0', end != NULL ? (size_t) (end - head) : (size_t) got) == NULL;
}

static int
explain_missing (const char *name, const char *path)
{
  char interpreter[PATH_MAX];
  char next[PATH_MAX];
  const char *kind;
  struct stat st;

  if (path[0] == '\0' || lstat (path, &st) < 0)
    {
      pv_complain ("Cannot find program \"%s\" in the container", name);
      return PV_STATUS_NOT_FOUND;
    }

  memcpy (next, path, strlen (path) + 1);
  /* The interpreter of a script can have a loader of its own; the kernel goes no deeper than this. */
  for (int depth = 0; depth < 5 && find_interpreter (next, interpreter, &kind); depth++)
    {
      if (stat (interpreter, &st) < 0)
        {
          if (depth == 0)
            pv_complain ("Cannot run program \"%s\": the runtime lacks the %s \"%s\"", name, kind,
                         interpreter);
          else
            pv_complain ("Cannot run program \"%s\": the runtime lacks the %s \"%s\" of \"%s\"", name,
                         kind, interpreter, next);
          return PV_STATUS_NOT_FOUND;
        }
      memcpy (next, interpreter, sizeof next);
    }

  pv_complain ("Cannot run program \"%s\": it is a link that leads nowhere, or the container lacks "
               "something it needs", name);
  return PV_STATUS_NOT_FOUND;
}

/**
 * pv_failure_explain:
 * @name: the program, as the user named it
 * @path: where it was found, or empty
 * @failure: what execve(2) answered
 *
 * Writes one line that names the program and the reason.
 *
 * Returns: the exit status, 126 or 127
 */
int
pv_failure_explain (const char *name, const char *path, int failure)
{
  struct stat st;

  if (failure == ENOENT || failure == ENOTDIR)
    return explain_missing (name, path);

  if (failure == EACCES && path[0] != '\0' && stat (path, &st) == 0 && S_ISDIR (st.st_mode))
    pv_complain ("Cannot run program \"%s\": it is a folder", name);
  else if (failure == ENOEXEC)
    pv_complain ("Cannot run program \"%s\": it is not a program for this machine", name);
  else
    pv_complain ("Cannot run program \"%s\": %s", name, strerror (failure));
  return PV_STATUS_NOT_EXECUTABLE;
}
