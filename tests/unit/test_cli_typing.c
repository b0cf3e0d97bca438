/* SPDX-License-Identifier: MPL-2.0 */
/* How pasted text reaches libedit through kvzmq-cli's function for reading keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/line.h"
#include "client/cli/typing.h"
#include "common/buffer.h"

enum { TYPED_MAX = 2 * LINE_BYTES_MAX };

/* A person at a terminal. */
typedef struct person {
    typing_t typing; /* first: see typing_init */
    EditLine *editor;
    int master; /* the other end of the terminal */
    FILE *keyboard;
    FILE *screen; /* nobody reads it; little is shown, so it does not fill up */
    buffer_t typed;
    size_t read; /* bytes of `typed` that were read */
} person_t;

static person_t *person_of(EditLine *editor)
{
    person_t *person = NULL;
    el_get(editor, EL_CLIENTDATA, &person);
    return person;
}

static ssize_t byte_read(EditLine *editor, char *byte)
{
    person_t *person = person_of(editor);
    if (person->read == person->typed.size)
        return 0;
    *byte = (char)person->typed.data[person->read++];
    return 1;
}

static int character_read(EditLine *editor, wchar_t *character)
{
    return typing_character(&person_of(editor)->typing, editor, character);
}

static int setup(void **state)
{
    person_t *person = calloc(1, sizeof *person);
    assert_non_null(person);
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    assert_int_equal(setenv("TERM", "xterm", 1), 0);
    person->master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(person->master >= 0);
    assert_int_equal(grantpt(person->master), 0);
    assert_int_equal(unlockpt(person->master), 0);
    person->keyboard = fopen(ptsname(person->master), "r");
    person->screen = fopen(ptsname(person->master), "w");
    assert_non_null(person->keyboard);
    assert_non_null(person->screen);
    person->editor = el_init("test", person->keyboard, person->screen, person->screen);
    assert_non_null(person->editor);
    el_set(person->editor, EL_CLIENTDATA, person);
    el_set(person->editor, EL_EDITOR, "emacs");
    el_set(person->editor, EL_GETCFN, character_read);
    typing_init(&person->typing, person->editor, byte_read);
    buffer_init(&person->typed, TYPED_MAX);
    *state = person;
    return 0;
}

static int teardown(void **state)
{
    person_t *person = *state;
    el_end(person->editor);
    (void)fclose(person->keyboard);
    (void)fclose(person->screen);
    (void)close(person->master);
    buffer_release(&person->typed);
    free(person);
    return 0;
}

static void type(person_t *person, const char *keys)
{
    buffer_append(&person->typed, keys, strlen(keys));
}

/* Asserts that the next line is LINE. */
static void assert_line(person_t *person, const char *line)
{
    int count = 0;
    const char *got = el_gets(person->editor, &count);
    assert_non_null(got);
    assert_string_equal(got, line);
}

static void paste__with_half_of_its_end_in_it__is_whole(void **state)
{
    person_t *person = *state;
    type(person, "put \033[200~a\033[201\033[201~b\n");
    assert_line(person, "put a\033[201b\n");
}

/* Pasted text that does not fit is not taken for keys, and what is typed after it is. */
static void paste__longer_than_a_line_may_be__is_passed_over_to_its_end(void **state)
{
    person_t *person = *state;
    type(person, "put k \033[200~");
    static char pasted[LINE_BYTES_MAX + 1];
    for (size_t i = 0; i < sizeof pasted; i++)
        pasted[i] = i % 2 == 0 ? 'x' : '\n';
    buffer_append(&person->typed, pasted, sizeof pasted);
    type(person, "\033[201~v\n");
    assert_false(person->typed.failed);
    assert_line(person, "put k v\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(paste__with_half_of_its_end_in_it__is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(paste__longer_than_a_line_may_be__is_passed_over_to_its_end, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("cli_typing", tests, NULL, NULL);
}
