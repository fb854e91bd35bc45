/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "supervise/orders.h"
#include "supervise/message.h"
#include "supervise/strings.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static bool
add_fd (int *list, int *length, const char *text)
{
  int fd = pv_parse_fd (text);

  if (fd < 0)
    return false;
  list[(*length)++] = fd;
  return true;
}

/* NUMBER:DEST */
static bool
add_node (PvOrders *self, const char *text, int base, unsigned *ret_number)
{
  char *colon;
  unsigned long number = strtoul (text, &colon, base);

  if (colon == text || *colon != ':' || number > INT_MAX)
    return false;
  self->nodes[self->n_nodes++] = (PvNode) { .dest = colon + 1, .fd = -1 };
  *ret_number = (unsigned) number;
  return true;
}

/* --link-to=TARGET, and as a string of its own the path: both can have any byte. */
static void
add_link (PvOrders *self, char **strings)
{
  self->nodes[self->n_nodes++] =
      (PvNode) { .target = strings[0] + strlen ("--link-to="), .dest = strings[1], .fd = -1 };
}

static bool
parse_node (PvOrders *self, const char *option)
{
  const char *value;
  unsigned number;

  if ((value = pv_option_value (option, "--folder=")) != NULL)
    {
      if (!add_node (self, value, 8, &number))
        return false;
      self->nodes[self->n_nodes - 1].mode = number;
      return true;
    }
  if ((value = pv_option_value (option, "--remove=")) != NULL)
    {
      self->nodes[self->n_nodes++] = (PvNode) { .dest = value, .fd = -1, .removed = true };
      return true;
    }
  if ((value = pv_option_value (option, "--file=")) == NULL || !add_node (self, value, 10, &number))
    return false;
  self->nodes[self->n_nodes - 1].fd = (int) number;
  return true;
}

/* Bit N - 1 is signal N, as in /proc/PID/status, and as the kernel has it.  Not by sigaddset(3), which
 * leaves out what a libc keeps for itself: for musl that is one more, the first real-time signal of
 * others. */
static void
parse_mask (sigset_t *mask, const char *text)
{
  unsigned long long bits = strtoull (text, NULL, 16);
  unsigned long *words = (void *) mask;
  const unsigned word_bits = 8 * sizeof *words;

  sigemptyset (mask);
  for (unsigned i = 0; i < 64; i++)
    {
      if (bits >> i & 1)
        words[i / word_bits] |= 1UL << i % word_bits;
    }
}

static bool
parse_option (PvOrders *self, char *option)
{
  const char *value;

  if ((value = pv_option_value (option, "--link=")) != NULL)
    self->link = pv_parse_fd (value);
  else if ((value = pv_option_value (option, "--error-output=")) != NULL)
    self->error_output = pv_parse_fd (value);
  else if ((value = pv_option_value (option, "--terminal=")) != NULL)
    self->terminal = pv_parse_fd (value);
  else if ((value = pv_option_value (option, "--lease=")) != NULL)
    return add_fd (self->leases, &self->n_leases, value);
  else if ((value = pv_option_value (option, "--keep=")) != NULL)
    return add_fd (self->kept, &self->n_kept, value);
  else if (strcmp (option, "--wrapped") == 0)
    self->wrapped = true;
  else if (strcmp (option, "--process-oriented") == 0)
    self->process_oriented = true;
  else if ((value = pv_option_value (option, "--mask=")) != NULL)
    parse_mask (&self->mask, value);
  else if ((value = pv_option_value (option, "--terminate-timeout=")) != NULL)
    self->terminate_ms = atoi (value);
  else if ((value = pv_option_value (option, "--terminate-idle-timeout=")) != NULL)
    self->terminate_idle_ms = atoi (value);
  else if (strcmp (option, "--exit-with-parent") == 0)
    self->exit_with_parent = true;
  else if (strncmp (option, "--setenv=", strlen ("--setenv=")) == 0)
    return putenv (option + strlen ("--setenv=")) == 0;
  else if ((value = pv_option_value (option, "--unsetenv=")) != NULL)
    return unsetenv (value) == 0;
  else if ((value = pv_option_value (option, "--expect=")) != NULL)
    self->expected[self->n_expected++] = option + strlen ("--expect=");
  else
    return parse_node (self, option);
  return true;
}

/* No list is longer than the file has strings. */
static bool
allocate (PvOrders *self, size_t count)
{
  self->leases = calloc (count, sizeof *self->leases);
  self->kept = calloc (count, sizeof *self->kept);
  self->expected = calloc (count, sizeof *self->expected);
  self->nodes = calloc (count, sizeof *self->nodes);
  return self->leases != NULL && self->kept != NULL && self->expected != NULL
         && self->nodes != NULL;
}

/**
 * pv_orders_read:
 * @orders: (out): valid until the process ends
 * @argc, @argv: `--inside=FD`, and after `--` the program, unless the memory file has it
 *
 * Returns: false if something is wrong with them
 */
bool
pv_orders_read (PvOrders *orders, int argc, char **argv)
{
  int fd = pv_parse_fd (argv[1] + strlen ("--inside="));
  size_t count = 0;
  char **strings = pv_strings_map (fd, &count);
  size_t i;

  *orders = (PvOrders) { .link = -1, .error_output = -1, .terminal = -1, .terminate_ms = -1 };
  if (strings == NULL)
    return false;
  if (!allocate (orders, count))
    return false;

  for (i = 0; i < count && strcmp (strings[i], "--") != 0; i++)
    {
      if (i + 1 < count && pv_option_value (strings[i], "--link-to=") != NULL)
        add_link (orders, strings + i++);
      else if (!parse_option (orders, strings[i]))
        return false;
    }
  if (i < count)
    orders->program = strings + i + 1;
  else if (argc > 3 && strcmp (argv[2], "--") == 0)
    orders->program = argv + 3;
  return orders->program != NULL && orders->program[0] != NULL && orders->link >= 0
         && orders->error_output >= 0;
}
