/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervise/strings.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/**
 * pv_strings_map:
 * @fd: a memory file: strings one after the other, each with its NUL
 * @ret_count: (out): how many
 *
 * Returns: (array zero-terminated=1): valid until the process ends; NULL if it is no such file
 */
char **
pv_strings_map (int fd, size_t *ret_count)
{
  struct stat st;
  char *text;
  char **strings;
  size_t count = 0;

  if (fstat (fd, &st) < 0 || st.st_size == 0)
    return NULL;
  text = mmap (NULL, (size_t) st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (text == MAP_FAILED || text[st.st_size - 1] != '\0')
    return NULL;

  for (off_t i = 0; i < st.st_size; i++)
    count += text[i] == '\0';
  strings = calloc (count + 1, sizeof *strings);
  if (strings == NULL)
    return NULL;
  for (size_t i = 0; i < count; i++)
    {
      strings[i] = text;
      text += strlen (text) + 1;
    }
  *ret_count = count;
  return strings;
}
