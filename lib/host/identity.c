/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/identity.h"

#include "base/fd.h"
#include "base/openat2.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* A user database larger than this belongs into a service. */
#define MAX_DATABASE (4 * 1024 * 1024)

static char *
read_text (int etc_fd, const char *name)
{
  pv_autofd fd = pv_openat2 (etc_fd, name, O_RDONLY, 0, PV_RESOLVE_ANYWHERE);
  char *text = fd < 0 ? NULL : pv_fd_read_all (fd, MAX_DATABASE, NULL, NULL);

  return text != NULL ? text : g_strdup ("");
}

/* Finds the line whose field number @field is @value.  Returns: its fields, or %NULL */
static char **
find_line (const char *text, guint field, guint min_fields, const char *value)
{
  const char *line = text;

  while (*line != '\0')
    {
      const char *end = strchrnul (line, '\n');
      g_autofree char *copy = g_strndup (line, (gsize) (end - line));
      g_auto (GStrv) fields = g_strsplit (copy, ":", -1);

      if (g_strv_length (fields) >= min_fields && strcmp (fields[field], value) == 0)
        return g_steal_pointer (&fields);
      line = *end == '\0' ? end : end + 1;
    }
  return NULL;
}

/* What is not in the files may be known to another service (LDAP, systemd-homed).  That loads
 * plug-ins, which a static program cannot: getent(1) asks in its own process. */
static char **
ask_service (const char *database, const char *number, guint min_fields)
{
  const char *argv[] = { "getent", database, number, NULL };
  g_autofree char *text = NULL;

  if (!g_spawn_sync (NULL, (char **) argv, NULL,
                     G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &text, NULL,
                     NULL, NULL))
    return NULL;
  return find_line (text, 2, min_fields, number);
}

static void
fill_user (PvIdentity *self)
{
  g_autofree char *number = g_strdup_printf ("%u", self->uid);
  g_auto (GStrv) fields = find_line (self->host_passwd, 2, 7, number);

  if (fields == NULL)
    fields = ask_service ("passwd", number, 7);
  self->user = fields != NULL ? g_strdup (fields[0]) : g_strdup_printf ("user%u", self->uid);
  self->gecos = g_strdup (fields != NULL ? fields[4] : "");
  self->home = g_strdup (fields != NULL ? fields[5] : "/");
}

static void
fill_group (PvIdentity *self)
{
  g_autofree char *number = g_strdup_printf ("%u", self->gid);
  g_auto (GStrv) fields = find_line (self->host_group, 2, 3, number);

  if (fields == NULL)
    fields = ask_service ("group", number, 3);
  self->group = fields != NULL ? g_strdup (fields[0]) : g_strdup_printf ("group%u", self->gid);
}

/**
 * pv_identity_get:
 * @etc_fd: the host's `/etc`
 * @uid: whose entry
 * @gid: whose entry
 *
 * Returns: (transfer full): the identity; where nobody knows a name, one is made up
 */
PvIdentity *
pv_identity_get (int etc_fd, uid_t uid, gid_t gid)
{
  PvIdentity *self = g_new0 (PvIdentity, 1);

  self->uid = uid;
  self->gid = gid;
  self->host_passwd = read_text (etc_fd, "passwd");
  self->host_group = read_text (etc_fd, "group");
  fill_user (self);
  fill_group (self);
  return self;
}

void
pv_identity_free (PvIdentity *identity)
{
  if (identity == NULL)
    return;
  g_free (identity->user);
  g_free (identity->group);
  g_free (identity->gecos);
  g_free (identity->home);
  g_free (identity->host_passwd);
  g_free (identity->host_group);
  g_free (identity);
}

/* A field must not be able to end its field or its line. */
static void
append_field (GString *line, const char *value)
{
  g_autofree char *safe = g_strdelimit (g_strdup (value), ":\n", '_');

  g_string_append (line, safe);
  g_string_append_c (line, ':');
}

/* Appends all lines of @text but those whose first field is @name. */
static void
append_others (GString *out, const char *text, const char *name)
{
  gsize name_length = strlen (name);
  const char *line = text;

  while (*line != '\0')
    {
      const char *end = strchrnul (line, '\n');

      if (strncmp (line, name, name_length) != 0 || line[name_length] != ':')
        {
          g_string_append_len (out, line, end - line);
          g_string_append_c (out, '\n');
        }
      line = *end == '\0' ? end : end + 1;
    }
}

/**
 * pv_identity_format_passwd:
 * @identity: who
 * @home: (type filename): the home folder in the container
 * @shell: (type filename): a shell that is there in the container
 *
 * Returns: (transfer full): the text of the container's `/etc/passwd`: the user's own entry, then
 *  the host's others
 */
char *
pv_identity_format_passwd (const PvIdentity *identity, const char *home, const char *shell)
{
  g_autoptr (GString) text = g_string_new ("");

  append_field (text, identity->user);
  g_string_append_printf (text, "x:%u:%u:", identity->uid, identity->gid);
  append_field (text, identity->gecos);
  append_field (text, home);
  g_string_append_printf (text, "%s\n", shell);
  append_others (text, identity->host_passwd, identity->user);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

/**
 * pv_identity_format_group:
 * @identity: who
 *
 * Returns: (transfer full): the text of the container's `/etc/group`
 */
char *
pv_identity_format_group (const PvIdentity *identity)
{
  g_autoptr (GString) text = g_string_new ("");

  append_field (text, identity->group);
  g_string_append_printf (text, "x:%u:\n", identity->gid);
  append_others (text, identity->host_group, identity->group);
  return g_string_free (g_steal_pointer (&text), FALSE);
}
