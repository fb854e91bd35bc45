/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which strategy of copying works is known only when it has been tried. */
#include "copy-search.h"

#include "base/error.h"
#include "base/log.h"

#include <stdlib.h>

static void
skipped_free (gpointer data)
{
  PvCopySkipped *skipped = data;

  g_free (skipped->reason);
  g_free (skipped);
}

PvCopySearch
pv_copy_search_init (void)
{
  return (PvCopySearch) { .next = PV_COPY_OVERLAY,
                          .skipped = g_ptr_array_new_with_free_func (skipped_free) };
}

void
pv_copy_search_clear (PvCopySearch *search)
{
  g_clear_pointer (&search->skipped, g_ptr_array_unref);
}

/* A test can have either of the two ways to mount an overlay. */
static gboolean
is_left_out (PvCopyStrategy strategy)
{
#ifdef PV_TEST_HOOKS
  const char *way = getenv ("PV_LAUNCH_TEST_OVERLAY");

  if (way != NULL && pv_copy_strategy_is_overlay (strategy))
    return g_str_equal (way, "bwrap") != (strategy == PV_COPY_OVERLAY_BWRAP);
#endif
  return FALSE;
}

static gboolean
is_allowed (const PvOptions *options, PvCopyStrategy strategy)
{
  if (is_left_out (strategy))
    return FALSE;
  if (options->copy_strategy == PV_COPY_OVERLAY)
    return pv_copy_strategy_is_overlay (strategy);
  if (options->copy_strategy != PV_COPY_AUTO)
    return strategy == options->copy_strategy;
  return strategy != PV_COPY_HARDLINK || !options->writable_copy;
}

/**
 * pv_copy_search_find:
 * @search: (inout): the next one that is allowed becomes @next
 *
 * Returns: %FALSE if there is none
 */
gboolean
pv_copy_search_find (PvCopySearch *search, const PvOptions *options)
{
  while (search->next <= PV_COPY_FULL && !is_allowed (options, search->next))
    search->next++;
  return search->next <= PV_COPY_FULL;
}

/**
 * pv_copy_search_skip:
 * @search: (inout): goes on behind @next
 * @why: what it failed with
 */
void
pv_copy_search_skip (PvCopySearch *search, const GError *why)
{
  PvCopySkipped *skipped = g_new0 (PvCopySkipped, 1);

  pv_info ("No mutable copy by %s: %s", pv_copy_strategy_to_string (search->next), why->message);
  skipped->strategy = search->next;
  skipped->reason = g_strdup (why->message);
  g_ptr_array_add (search->skipped, skipped);
  search->next++;
}

/**
 * pv_copy_search_set_error:
 *
 * No strategy is left.
 *
 * Returns: always %FALSE
 */
gboolean
pv_copy_search_set_error (const PvCopySearch *search, const PvOptions *options, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  const GPtrArray *skipped = search->skipped;

  /* Of all, the last one is the one that nearly always works. */
  for (guint i = options->copy_strategy == PV_COPY_AUTO ? skipped->len - 1 : 0; i < skipped->len; i++)
    {
      const PvCopySkipped *one = g_ptr_array_index (skipped, i);

      g_string_append_printf (text, "%s%s", text->len > 0 ? "; nor otherwise: " : "", one->reason);
    }
  pv_error_set (error, PV_ERROR_UNSUPPORTED, "%s", text->str);
  if (options->copy_strategy == PV_COPY_AUTO)
    return FALSE;
  return pv_error_hint (error, "--copy-strategy=auto takes the first one that works");
}
