/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Deploys a runtime from its manifest; run by pv-launch, which has opened all that counts.  It is a
 * program of its own because of libarchive, and because the exclusive lock on what is being deployed
 * must not be inherited by any other. */
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "copy/base-staging.h"
#include "copy/manifest.h"
#include "deploy/answer.h"
#include "deploy/apply.h"
#include "deploy/unpack.h"
#include "deploy/verify.h"
#include "progress.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A cleaner holds the lock of the folder for microseconds. */
#define PARENT_TIMEOUT_MS 30000

static char *opt_manifest;
static char *opt_digest;
static char *opt_log_level;
static int opt_manifest_fd = -1;
static int opt_files = -1;
static int opt_parent = -1;
static int opt_base = -1;
static int opt_answer = -1;
static gboolean opt_verify;

static const GOptionEntry options[] = {
  { "manifest", 0, 0, G_OPTION_ARG_FILENAME, &opt_manifest, "Where the manifest is", "PATH" },
  { "digest", 0, 0, G_OPTION_ARG_STRING, &opt_digest, "Its digest", "DIGEST" },
  { "manifest-fd", 0, 0, G_OPTION_ARG_INT, &opt_manifest_fd, "The manifest", "FD" },
  { "files", 0, 0, G_OPTION_ARG_INT, &opt_files, "The files beside it", "FD" },
  { "parent", 0, 0, G_OPTION_ARG_INT, &opt_parent, "Deploy into this folder", "FD" },
  { "base", 0, 0, G_OPTION_ARG_INT, &opt_base, "Verify this", "FD" },
  { "verify", 0, 0, G_OPTION_ARG_NONE, &opt_verify, "Verify what is deployed", NULL },
  { "log-level", 0, 0, G_OPTION_ARG_STRING, &opt_log_level, "How much to say", "LEVEL" },
  { "answer", 0, 0, G_OPTION_ARG_INT, &opt_answer, "Where the result goes", "FD" },
  { NULL },
};

/* The number of a signal; used atomically. */
static gint stop;

static void
on_signal (int number)
{
  g_atomic_int_set (&stop, number);
}

/* What is staged goes, whoever wants this to end. */
static void
handle_signals (void)
{
  static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
  const struct sigaction action = { .sa_handler = on_signal };
  sigset_t mask;

  sigemptyset (&mask);
  for (gsize i = 0; i < G_N_ELEMENTS (signals); i++)
    {
      sigaction (signals[i], &action, NULL);
      sigaddset (&mask, signals[i]);
    }
  sigprocmask (SIG_UNBLOCK, &mask, NULL);
  signal (SIGPIPE, SIG_IGN);
}

static gboolean
describe (int usr_fd, PvAnswer *answer, GError **error)
{
  struct stat st;

  if (fstat (usr_fd, &st) < 0)
    return pv_error_set_errno (error, errno, "Cannot look at the deployed runtime");
  answer->device = st.st_dev;
  answer->inode = st.st_ino;
  return TRUE;
}

static gboolean
verify (const PvMtree *mtree, int usr_fd, PvProgress *progress, GError **error)
{
  g_autofree char *path = pv_fd_get_path (usr_fd);

  pv_progress_set_total (progress, mtree->n_files, mtree->n_bytes);
  pv_progress_set_stage (progress, "verifying");
  return pv_verify (mtree, usr_fd, path, progress, &stop, error);
}

/* Links, folders and empty files come back after a power cut if the rename does that comes after them:
 * filesystems with a journal keep the order.  What is in files that were copied they do not. */
static gboolean
sync_copies (int usr_fd, const PvApplied *applied, GError **error)
{
  return applied->n_copied == 0 || syncfs (usr_fd) == 0
         || pv_error_set_errno (error, errno, "Cannot sync the deployed runtime");
}

static void
say_what_was_copied (const PvApplied *applied)
{
  if (applied->link_errno != 0)
    pv_warning ("Files of \"%s\" could not be linked, and were copied: %s", opt_manifest,
                g_strerror (applied->link_errno));
  pv_info ("Deployed \"%s\": %u files linked, %u copied", opt_manifest, applied->n_linked,
           applied->n_copied);
}

/* What was read may be a part of what somebody was about to write. */
static gboolean
check_is_current (GError **error)
{
  return pv_manifest_is_current (opt_manifest, opt_digest)
         || pv_error_set (error, PV_ERROR_CHANGED,
                          "Cannot use manifest \"%s\": it was replaced meanwhile", opt_manifest);
}

static gboolean
deploy (const PvMtree *mtree, PvProgress *progress, PvAnswer *answer, GError **error)
{
  const PvLockWait wait = { .timeout_ms = PARENT_TIMEOUT_MS };
  g_autoptr (PvBaseStaging) staging =
      pv_base_staging_begin (opt_parent, opt_digest, opt_manifest, &wait, error);
  int usr_fd = staging == NULL ? -1 : pv_base_staging_get_usr_fd (staging);
  PvApplied applied;

  if (staging == NULL || !describe (usr_fd, answer, error))
    return FALSE;
  pv_progress_set_total (progress, mtree->n_files, mtree->n_bytes);
  pv_progress_set_stage (progress, "deploying");
  if (!pv_apply (mtree, opt_files, usr_fd, progress, &stop, &applied, error))
    return FALSE;
  if (opt_verify && !verify (mtree, usr_fd, progress, error))
    return pv_error_hint (error, "the runtime is damaged: whoever installed it should check its "
                                 "files, or install them anew");
  if (!sync_copies (usr_fd, &applied, error) || !check_is_current (error)
      || !pv_base_staging_commit (staging, error))
    return FALSE;
  answer->n_linked = applied.n_linked;
  answer->n_copied = applied.n_copied;
  pv_progress_clear (progress);
  say_what_was_copied (&applied);
  return TRUE;
}

static gboolean
verify_base (const PvMtree *mtree, PvProgress *progress, PvAnswer *answer, GError **error)
{
  if (!describe (opt_base, answer, error))
    return FALSE;
  return verify (mtree, opt_base, progress, error)
         || pv_error_hint (error,
                           "delete it when nothing uses it; the next launch deploys it anew. "
                           "If that does not help, the runtime itself is damaged");
}

static gboolean
run (PvAnswer *answer, GError **error)
{
  g_autoptr (PvMtree) mtree = pv_unpack_mtree (opt_manifest_fd, opt_manifest, error);
  g_autofree char *folder = g_path_get_dirname (opt_manifest);
  g_autofree char *label = g_path_get_basename (folder);
  g_autoptr (PvProgress) progress = NULL;

  if (mtree == NULL)
    return FALSE;
  answer->needed = pv_apply_is_needed (mtree, opt_files);
  if (opt_parent < 0 && opt_base < 0)
    return TRUE;
  progress = pv_progress_new (label, TRUE);
  return opt_base >= 0 ? verify_base (mtree, progress, answer, error)
                       : deploy (mtree, progress, answer, error);
}

static gboolean
parse (int argc, char **argv, GError **error)
{
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  PvLogLevel level;

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, error))
    return FALSE;
  if (opt_manifest == NULL || opt_manifest_fd < 0 || opt_files < 0 || opt_answer < 0
      || (opt_parent >= 0 && opt_digest == NULL))
    return pv_error_set (error, PV_ERROR_USAGE, "Cannot deploy: pv-launch runs this, nobody else");
  if (opt_log_level != NULL && pv_log_level_from_string (opt_log_level, &level))
    pv_log_set_level (level);
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  PvAnswer answer = { 0 };
  gsize length;
  gboolean done;

  pv_log_init ("pv-launch");
  handle_signals ();
  umask (0);
  if (!parse (argc, argv, &error))
    {
      pv_log_error (error);
      return EXIT_FAILURE;
    }
  done = run (&answer, &error);
  text = pv_answer_write (&answer, error, &length);
  pv_fd_write_all (opt_answer, text, length, NULL);
  return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
