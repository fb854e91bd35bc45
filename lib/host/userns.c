/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which switch keeps an ordinary user from making a user namespace.  Asked only when bubblewrap has
 * failed: on the way to a program nothing of this runs. */
#include "host/userns.h"

#include "base/error.h"
#include "base/fd.h"
#include "base/openat2.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/**
 * PvUsernsSwitch: a file below `/proc/sys` that can block user namespaces.
 * @blocking: the value that blocks
 */
typedef struct
{
  const char *file;
  const char *blocking;
  const char *reason;
  const char *remedy;
} PvUsernsSwitch;

/* user_namespaces(7); Debian's and Ubuntu's kernels have the second and the third. */
static const PvUsernsSwitch switches[] = {
  { "proc/sys/user/max_user_namespaces", "0", "user.max_user_namespaces is 0",
    "as root: sysctl user.max_user_namespaces=15000" },
  { "proc/sys/kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone is 0",
    "as root: sysctl kernel.unprivileged_userns_clone=1" },
  { "proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
    "AppArmor restricts them (kernel.apparmor_restrict_unprivileged_userns is 1)",
    "install an AppArmor profile that gives bwrap the permission \"userns\"" },
};

static char *
read_value (int root_fd, const char *file)
{
  pv_autofd fd = openat (root_fd, file, O_RDONLY | O_CLOEXEC);
  char *text = fd < 0 ? NULL : pv_fd_read_all (fd, 4096, NULL, NULL);

  return text != NULL ? g_strstrip (text) : NULL;
}

/* Tries it, in a child.  Returns: 0, or the errno with which it failed */
static int
try_userns (void)
{
  int status;
  pid_t child = fork ();

  if (child < 0)
    return errno;
  if (child == 0)
    _exit (unshare (CLONE_NEWUSER) < 0 ? errno : 0);
  if (TEMP_FAILURE_RETRY (waitpid (child, &status, 0)) < 0 || !WIFEXITED (status))
    return EINVAL;
  return WEXITSTATUS (status);
}

static gboolean
has_seccomp_filter (int root_fd)
{
  g_autofree char *status = read_value (root_fd, "proc/self/status");

  return status != NULL && strstr (status, "\nSeccomp:\t2") != NULL;
}

static gboolean
is_in_container (int root_fd)
{
  return faccessat (root_fd, ".dockerenv", F_OK, AT_SYMLINK_NOFOLLOW) == 0
         || faccessat (root_fd, "run/.containerenv", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static gboolean
set_blocked (GError **error, const char *reason, const char *remedy)
{
  pv_error_set (error, PV_ERROR_UNSUPPORTED, "Cannot start bubblewrap: user namespaces are blocked: %s",
                reason);
  pv_error_hint (error, "%s", remedy);
  return TRUE;
}

/**
 * pv_userns_is_blocked:
 * @root_fd: the host's `/` (tests give another folder)
 * @error: (out): which switch is in the way, and what to do
 *
 * Returns: %TRUE with @error set if this process cannot make a user namespace
 */
gboolean
pv_userns_is_blocked (int root_fd, GError **error)
{
  g_autofree char *reason = NULL;
  int failure;

  for (gsize i = 0; i < G_N_ELEMENTS (switches); i++)
    {
      g_autofree char *value = read_value (root_fd, switches[i].file);

      if (g_strcmp0 (value, switches[i].blocking) == 0)
        return set_blocked (error, switches[i].reason, switches[i].remedy);
    }

  failure = try_userns ();
  if (failure == 0)
    return FALSE;

  if (failure == EPERM && has_seccomp_filter (root_fd))
    return set_blocked (error, "a seccomp filter forbids them",
                        is_in_container (root_fd)
                          ? "let the surrounding container allow unshare(2) and clone(2) with "
                            "CLONE_NEWUSER, for example --security-opt seccomp=unconfined"
                          : "start this without the seccomp filter of the surrounding program");
  if (failure == EPERM)
    return set_blocked (error, "the kernel answers \"Operation not permitted\"",
                        "inside a chroot they are never allowed; elsewhere look for a security "
                        "module, or for a kernel built without CONFIG_USER_NS");
  if (failure == ENOSPC || failure == EUSERS)
    return set_blocked (error, "the limit of nested or existing user namespaces is reached",
                        "as root: sysctl user.max_user_namespaces=15000; at most 32 can be nested");

  reason = g_strdup_printf ("unshare(2) answers \"%s\"", g_strerror (failure));
  return set_blocked (error, reason, "user namespaces must be enabled in the kernel");
}
