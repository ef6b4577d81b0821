/* One key, value or header of a record, for the compiled twins.
 *
 * Only the stable ABI is used, so that one build serves every Python from 3.11 on.
 */
#ifndef OTTLA_FIELD_H
#define OTTLA_FIELD_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>

/* Work on fewer bytes is done within the time that handing over the GIL may cost. */
enum { BYTES_WITHOUT_GIL_MIN = 64 * 1024 };

typedef struct {
    const uint8_t *data;
    int64_t size; /* -1: null */
} field;

static inline int is_continuation(uint8_t byte) { return (byte & 0xc0) == 0x80; }

/* Well-formed UTF-8 as Unicode defines it: shortest forms, no surrogates, up to U+10FFFF. */
static inline int is_utf8(field text)
{
    const uint8_t *at = text.data, *end = text.data + text.size;
    while (at < end) {
        uint8_t lead = *at++;
        if (lead < 0x80)
            continue;
        int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        if (lead < 0xc2 || lead > 0xf4 || end - at < more)
            return 0;
        uint8_t next = at[0];
        if ((lead == 0xe0 && next < 0xa0) || (lead == 0xed && next > 0x9f) ||
            (lead == 0xf0 && next < 0x90) || (lead == 0xf4 && next > 0x8f))
            return 0;
        for (; more; more--)
            if (!is_continuation(*at++))
                return 0;
    }
    return 1;
}

#endif
