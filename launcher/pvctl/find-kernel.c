/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel lets this user do. */
#include "base/error.h"
#include "base/fd.h"
#include "findings.h"
#include "host/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static void
find_userns (GPtrArray *findings)
{
  pv_autofd root_fd = open ("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  g_autoptr (GError) error = NULL;

  if (pv_userns_is_blocked (root_fd, &error))
    pvctl_findings_add_error (findings, "user-namespaces", PVCTL_BAD, error);
  else
    pvctl_findings_add (findings, "user-namespaces", PVCTL_OK, NULL, "user namespaces can be made");
}

/* Two folders that are everywhere, without a writable layer, over a third one, where nobody else sees
 * it: nothing is written.  Returns: errno */
static int
try_overlay (void)
{
  int namespaces = CLONE_NEWNS | (geteuid () == 0 ? 0 : CLONE_NEWUSER);

  if (unshare (namespaces) < 0)
    return errno;
  if (geteuid () == 0 && mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
    return errno;
  if (mount ("overlay", "/proc", "overlay", MS_RDONLY, "lowerdir=/usr:/etc,userxattr") < 0)
    return errno;
  return 0;
}

static void
find_overlay (GPtrArray *findings)
{
  pid_t pid = fork ();
  int status = 0;

  if (pid == 0)
    _exit (try_overlay ());
  if (pid < 0 || TEMP_FAILURE_RETRY (waitpid (pid, &status, 0)) < 0 || !WIFEXITED (status))
    return;
  if (WEXITSTATUS (status) == 0)
    pvctl_findings_add (findings, "overlay", PVCTL_OK, NULL,
                        "overlays can be mounted in a namespace of one's own");
  else
    pvctl_findings_add (
        findings, "overlay", PVCTL_NOTE,
        "Linux 5.11 or later can, if user namespaces and the module overlay can be had",
        "overlays cannot be mounted in a namespace of one's own: %s; mutable copies "
        "are made by slower means",
        g_strerror (WEXITSTATUS (status)));
}

static void
find_locks (GPtrArray *findings)
{
  pv_autofd fd = memfd_create ("lock", MFD_CLOEXEC);
  struct flock whole_file = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

  if (fcntl (fd, F_OFD_GETLK, &whole_file) == 0)
    pvctl_findings_add (findings, "locks", PVCTL_OK, NULL,
                        "locks can belong to open files (F_OFD_SETLK)");
  else
    pvctl_findings_add (findings, "locks", PVCTL_NOTE, "Linux 3.15 or later has them",
                        "locks belong to processes (F_SETLK): they end with the supervisors");
}

/**
 * pvctl_find_kernel:
 * @findings: (inout): gets what is found
 */
void
pvctl_find_kernel (GPtrArray *findings)
{
  struct utsname machine;

  if (uname (&machine) == 0)
    pvctl_findings_add (findings, "kernel", PVCTL_OK, NULL, "%s %s on %s", machine.sysname,
                        machine.release, machine.machine);
  find_userns (findings);
  find_overlay (findings);
  find_locks (findings);
}
