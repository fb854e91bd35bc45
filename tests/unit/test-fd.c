/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "base/fd.h"
#include "child.h"
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void
test_memfd (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;
  pv_autofd fd = pv_fd_memfd ("test", "a\0b", 3, &error);
  pv_autofd empty = pv_fd_memfd ("empty", "", 0, &error);
  g_autofree char *text = NULL;
  gsize length;

  g_assert_no_error (error);
  text = pv_fd_read_all (fd, 3, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (text, length, "a\0b", 3);

  g_assert_cmpint (fcntl (fd, F_GET_SEALS), ==,
                   F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint (pwrite (fd, "x", 1, 0), ==, -1);
  g_assert_cmpint (errno, ==, EPERM);
  g_assert_cmpint (ftruncate (fd, 0), ==, -1);
  g_assert_cmpint (lseek (empty, 0, SEEK_END), ==, 0);
}

static void
test_read (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *path = pv_fixture_path (fixture, "file");
  g_autofree char *long_text = g_strnfill (10000, 'x');
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  pv_autofd fd = -1;
  gsize length = 0;

  pv_fixture_write (fixture, "file", long_text);
  fd = open (path, O_RDONLY | O_CLOEXEC);
  text = pv_fd_read_all (fd, 10000, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (length, ==, 10000);
  g_assert_cmpstr (text, ==, long_text);

  lseek (fd, 0, SEEK_SET);
  g_assert_null (pv_fd_read_all (fd, 9999, NULL, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_INVALID);
  g_clear_error (&error);

  g_assert_null (pv_fd_read_all (fixture->dir_fd, 1, NULL, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_FAILED);
}

static void
test_write (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autofree char *path = pv_fixture_path (fixture, "file");
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  pv_autofd fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  pv_autofd full = open ("/dev/full", O_WRONLY | O_CLOEXEC);

  g_assert_true (pv_fd_write_all (fd, "hello", 5, &error));
  g_assert_true (pv_fd_write_all (fd, "", 0, &error));
  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, "hello");

  g_assert_false (pv_fd_write_all (full, "x", 1, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_FAILED);
}

static void
test_own (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  int fd = fcntl (fixture->dir_fd, F_DUPFD_CLOEXEC, 3);
  int stolen = pv_fd_steal (&fd);
  g_autofree char *path = pv_fd_get_path (stolen);
  g_autoptr (GError) error = NULL;
  int number = stolen;
  int closed;

  g_assert_cmpint (fd, ==, -1);
  g_assert_cmpstr (path, ==, fixture->path);
  g_assert_true (pv_fd_is_open (stolen));
  g_assert_true (pv_fd_set_inherited (stolen, TRUE, &error));
  g_assert_cmpint (fcntl (stolen, F_GETFD), ==, 0);
  g_assert_true (pv_fd_set_inherited (stolen, FALSE, &error));
  g_assert_cmpint (fcntl (stolen, F_GETFD), ==, FD_CLOEXEC);

  errno = ESTALE;
  pv_fd_clear (&stolen);
  pv_fd_clear (&stolen);
  closed = number;
  pv_fd_clear (&closed); /* close() sets EBADF */
  g_assert_cmpint (errno, ==, ESTALE);
  g_assert_cmpint (stolen, ==, -1);
  g_assert_false (pv_fd_is_open (number));
  g_assert_false (pv_fd_is_open (-1));
  g_assert_false (pv_fd_set_inherited (number, TRUE, &error));
  g_assert_error (error, PV_ERROR, PV_ERROR_FAILED);
}

/* Status 0: each of 0, 1 and 2 is open, and a file opened afterwards gets another number. */
static int
protect_stdio (gconstpointer data)
{
  const char *closed = data;
  int later;

  for (; *closed != '\0'; closed++)
    close (*closed - '0');
  if (!pv_fd_protect_stdio (NULL))
    return 1;
  later = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  for (int fd = 0; fd <= 2; fd++)
    {
      /* What takes the place of a stream must survive exec, as the stream would have. */
      if (fcntl (fd, F_GETFD) != 0)
        return 2;
    }
  return later > 2 ? 0 : 3;
}

static void
test_protect_stdio (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const closed[] = { "", "0", "1", "2", "01", "02", "12", "012" };

  for (gsize i = 0; i < G_N_ELEMENTS (closed); i++)
    g_assert_cmpint (pv_child_run (protect_stdio, closed[i]), ==, 0);
}

static int
close_on_exec (gconstpointer data G_GNUC_UNUSED)
{
  int low = dup (0);
  int high = fcntl (0, F_DUPFD, 200);

  if (low < 3 || high < 200 || !pv_fd_close_on_exec_above_stdio (NULL))
    return 1;
  if (fcntl (low, F_GETFD) != FD_CLOEXEC || fcntl (high, F_GETFD) != FD_CLOEXEC)
    return 2;
  return fcntl (0, F_GETFD) == 0 && fcntl (1, F_GETFD) == 0 && fcntl (2, F_GETFD) == 0 ? 0 : 3;
}

static void
test_close_on_exec (PvFixture *fixture G_GNUC_UNUSED, gconstpointer data G_GNUC_UNUSED)
{
  g_assert_cmpint (pv_child_run (close_on_exec, NULL), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/fd/memfd", test_memfd);
  pv_fixture_add ("/fd/read", test_read);
  pv_fixture_add ("/fd/write", test_write);
  pv_fixture_add ("/fd/own", test_own);
  pv_fixture_add ("/fd/protect-stdio", test_protect_stdio);
  pv_fixture_add ("/fd/close-on-exec", test_close_on_exec);
  return g_test_run ();
}
