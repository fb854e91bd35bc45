/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Links, folders and files of the container's root.  Bubblewrap could make them, at seven times the
 * cost: it looks at every parent of each of them. */
#include "supervise/nodes.h"
#include "supervise/message.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bubblewrap has made those that lead to a mount, with mode 0700; a mount itself is not ours. */
static bool
make_folder (const PvNode *node)
{
  struct stat root, st;

  if (mkdir (node->dest, node->mode) == 0)
    return true;
  if (errno != EEXIST || lstat ("/", &root) < 0 || lstat (node->dest, &st) < 0)
    return false;
  if (!S_ISDIR (st.st_mode))
    {
      errno = ENOTDIR;
      return false;
    }
  return st.st_dev != root.st_dev || chmod (node->dest, node->mode) == 0;
}

static bool
copy (int from, int to)
{
  char buffer[4096];
  long got;

  while ((got = PV_RETRY (read (from, buffer, sizeof buffer))) > 0)
    {
      errno = ENOSPC; /* if it is written in part */
      if (PV_RETRY (write (to, buffer, (size_t) got)) != got)
        return false;
    }
  return got == 0;
}

static bool
make_file (const PvNode *node)
{
  int fd = open (node->dest, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  bool made;

  if (fd < 0)
    return false;
  made = copy (node->fd, fd);
  close (fd);
  return made;
}

/* The name itself, wherever a link may lead: what is made then must find nothing there. */
static bool
remove_node (const PvNode *node)
{
  return unlink (node->dest) == 0 || errno == ENOENT;
}

static bool
make (const PvNode *node)
{
  if (node->removed)
    return remove_node (node);
  if (node->target != NULL)
    return symlink (node->target, node->dest) == 0;
  return node->fd >= 0 ? make_file (node) : make_folder (node);
}

/**
 * pv_nodes_make:
 *
 * Returns: false after a line that says why
 */
bool
pv_nodes_make (const PvOrders *orders)
{
  mode_t umask_of_program = umask (0);
  int i = 0;

  while (i < orders->n_nodes && make (&orders->nodes[i]))
    i++;
  if (i < orders->n_nodes)
    pv_complain ("Cannot %s \"%s\" in the container: %s",
                 orders->nodes[i].removed ? "replace" : "make", orders->nodes[i].dest,
                 strerror (errno));
  umask (umask_of_program);
  return i == orders->n_nodes;
}
