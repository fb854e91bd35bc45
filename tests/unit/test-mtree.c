/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "deploy/answer.h"
#include "deploy/mtree.h"
#include "fixture.h"

#include <string.h>

typedef struct
{
  const char *rest;
  gsize left;
  gsize step;
} Text;

/* In pieces, whose ends are anywhere in a line. */
static gssize
read_text (gpointer data, char *buffer, gsize size, GError **error)
{
  Text *text = data;
  gsize length = MIN (MIN (text->left, text->step), size);

  memcpy (buffer, text->rest, length);
  text->rest += length;
  text->left -= length;
  return (gssize) length;
}

static PvMtree *
parse (const char *content, GError **error)
{
  PvMtree *first = NULL;

  for (gsize step = 1; step < 100; step += 33)
    {
      Text text = { .rest = content, .left = strlen (content), .step = step };
      g_autoptr (GError) local_error = NULL;
      PvMtree *mtree = pv_mtree_read ("M", read_text, &text, &local_error);

      if (step == 1)
        {
          first = mtree;
          if (local_error != NULL)
            g_propagate_error (error, g_steal_pointer (&local_error));
          continue;
        }
      g_assert_true ((mtree == NULL) == (first == NULL));
      if (mtree == NULL && error != NULL)
        g_assert_cmpstr (local_error->message, ==, (*error)->message);
      pv_mtree_free (mtree);
    }
  return first;
}

static void
test_entries (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (PvMtree) mtree =
      parse ("#mtree\n"
             "/set type=file mode=0644 nlink=1\n"
             ". type=dir mode=0755\n"
             "./b\\040\\\\c//d mode=0755 size=12 time=-5.000000007 \\\n"
             "   sha256=0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\n"
             "./l type=link link=a\\nb\r\n"
             "\t./c optional nochange contents=./x/./y\n"
             "/unset all\n"
             "./i type=dir ignore",
             &error);
  const PvMtreeEntry *entry;

  g_assert_no_error (error);
  g_assert_cmpuint (mtree->entries->len, ==, 6);
  g_assert_cmpuint (mtree->folders->len, ==, 3);
  g_assert_cmpuint (mtree->n_bytes, ==, 12);
  entry = pv_mtree_get (mtree, "b \\c/d");
  g_assert_cmpuint (entry->line, ==, 5);
  g_assert_cmpint (entry->mode, ==, 0755);
  g_assert_cmpint (entry->size, ==, 12);
  g_assert_cmpint (entry->mtime.tv_sec, ==, -5);
  g_assert_cmpint (entry->mtime.tv_nsec, ==, 7);
  g_assert_true (g_str_has_prefix (entry->sha256, "0123456789abcdef"));
  g_assert_cmpstr (pv_mtree_get (mtree, "l")->target, ==, "a\nb");
  entry = pv_mtree_get (mtree, "c");
  g_assert_true (entry->optional && entry->no_change && !entry->ignore);
  g_assert_cmpstr (entry->contents, ==, "x/y");
  g_assert_cmpint (entry->mode, ==, 0644);
  entry = pv_mtree_get (mtree, "i");
  g_assert_true (entry->ignore);
  g_assert_cmpint (entry->mode, ==, -1);
  /* Nobody has named these. */
  g_assert_cmpint (pv_mtree_get (mtree, "b \\c")->type, ==, PV_MTREE_FOLDER);
  g_assert_true (pv_mtree_is_lock_file (pv_mtree_get (mtree, ".ref")));
}

/* Each folder before those in it, each with what is in it. */
static void
test_folders (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  g_autoptr (PvMtree) mtree =
      parse ("./a/b/c type=file\n./a-b/x type=file\n./a/z type=file\n./a.b type=file\n"
             "./a/b/a type=file\n",
             NULL);
  static const char *const expected[] = { "", "a", "a-b", "a/b" };
  static const guint counts[] = { 4, 2, 1, 2 };

  g_assert_cmpuint (mtree->folders->len, ==, G_N_ELEMENTS (expected));
  for (guint i = 0; i < mtree->folders->len; i++)
    {
      const PvMtreeFolder *folder = &g_array_index (mtree->folders, PvMtreeFolder, i);

      g_assert_cmpstr (folder->entry->name, ==, expected[i]);
      g_assert_cmpuint (folder->n, ==, counts[i]);
      for (guint j = folder->first; j < folder->first + folder->n; j++)
        {
          const PvMtreeEntry *entry = mtree->entries->pdata[j];
          g_autofree char *parent = g_path_get_dirname (entry->name);

          g_assert_cmpstr (strcmp (parent, ".") == 0 ? "" : parent, ==, expected[i]);
        }
    }
}

static void
test_errors (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char *const rows[][2] = {
    { "", "names no file" },
    { "./a type=file\n./b\n", "line 2: it has no type" },
    { "./a type=file\n\n./a type=file", "line 3: \"a\": line 1 has it as well" },
    { "./a type=link link=\n", "line 1: no link can lead to" },
    { "./a type=file\\\n size=x", "line 2: invalid number \"x\"" },
    { "./\\777 type=file", "line 1: invalid escape" },
    { "./a\\", "line 1: the manifest ends" },
    { "./a/b type=file\n./a type=file", "line 1: \"a/b\": \"a\" is not a folder" },
    { "./\\033[31m type=dir\n./\\033[31m type=dir", "\"\\x1b[31m\"" },
    { "./a type=file contents=.", "its contents are those of a folder" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (PvMtree) mtree = parse (rows[i][0], &error);

      g_assert_null (mtree);
      g_assert_error (error, PV_ERROR, PV_ERROR_INVALID);
      g_assert_true (g_str_has_prefix (error->message, "Cannot use manifest \"M\": "));
      if (strstr (error->message, rows[i][1]) == NULL)
        g_error ("\"%s\" has no \"%s\"", error->message, rows[i][1]);
    }
}

/* Whatever bytes there are: an entry or an error. */
static void
test_noise (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  static const char letters[] = "./a\\017 =\n\ntypefilinkdrsz#/set\xff";

  for (int i = 0; i < 2000; i++)
    {
      char content[200];
      g_autoptr (PvMtree) mtree = NULL;

      for (gsize j = 0; j < sizeof content - 1; j++)
        content[j] = letters[g_test_rand_int_range (0, (gint32) strlen (letters))];
      content[sizeof content - 1] = '\0';
      mtree = parse (content, NULL);
    }
}

static void
test_answer (PvFixture *fixture, gconstpointer data G_GNUC_UNUSED)
{
  const PvAnswer answer = { .needed = TRUE, .device = 7, .inode = 8, .n_linked = 9, .n_copied = 1 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) found = NULL;
  g_autofree char *good = NULL;
  g_autofree char *bad = NULL;
  PvAnswer read = { 0 };
  gsize length;

  good = pv_answer_write (&answer, NULL, &length);
  g_assert_true (pv_answer_read (good, length, &read, &found));
  g_assert_true (read.needed && read.device == 7 && read.inode == 8);
  g_assert_true (read.n_linked == 9 && read.n_copied == 1);
  pv_error_set (&error, PV_ERROR_BUSY, "Message");
  pv_error_hint (&error, "do this");
  bad = pv_answer_write (&answer, error, &length);
  g_assert_false (pv_answer_read (bad, length, &read, &found));
  g_assert_error (found, PV_ERROR, PV_ERROR_BUSY);
  g_assert_cmpstr (found->message, ==, "Message");
  g_assert_cmpstr (pv_error_get_hint (found), ==, "do this");
  /* It was killed on the way. */
  for (gsize cut = 0; cut < length; cut++)
    {
      g_autofree char *part = g_memdup2 (bad, length + 1);

      part[cut] = '\0';
      g_clear_error (&found);
      g_assert_false (pv_answer_read (part, cut, &read, &found));
      g_assert_error (found, PV_ERROR, PV_ERROR_FAILED);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pv_fixture_add ("/mtree/entries", test_entries);
  pv_fixture_add ("/mtree/folders", test_folders);
  pv_fixture_add ("/mtree/errors", test_errors);
  pv_fixture_add ("/mtree/noise", test_noise);
  pv_fixture_add ("/mtree/answer", test_answer);
  return g_test_run ();
}
