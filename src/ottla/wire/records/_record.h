/* One record written into a block, for the compiled twins of blocks.py. */
#ifndef OTTLA_RECORD_H
#define OTTLA_RECORD_H

#include "_field.h"

#include <string.h>

/* Must be that of limits.RECORDS_BLOCK_BYTES_MAX. */
#define BLOCK_BYTES_MAX ((int64_t)INT32_MAX - 49)

/* Must be that of limits.RECORD_TIMESTAMP_MS_MAX. */
#define TIMESTAMP_MAX (INT64_MAX - 1)

enum { NO_TIMESTAMP = -1, VARINT_BYTES_MAX = 10 };

/* Reasons of a refusal; they are ValueErrors, but for the first. */
static const char NOT_BYTES[] = "a key, a value and that of a header are bytes or None";
static const char TOO_LARGE[] = "records of more than 2147483598 bytes in a batch";
static const char BAD_TIME[] = "a timestamp is not between -1 and 2**63 - 2";
static const char NO_MEMORY[] = "";

static inline PyObject *refuse(const char *reason)
{
    if (reason == NO_MEMORY)
        return PyErr_NoMemory();
    PyErr_SetString(reason == NOT_BYTES ? PyExc_TypeError : PyExc_ValueError, reason);
    return NULL;
}

/* --- one record --- */

typedef struct {
    int64_t timestamp; /* as it was given and checked, for records read from columns */
    int64_t timestamp_delta, offset_delta;
    field key, value;
    const field *headers; /* names and values in turn */
    int64_t header_count;
} record;

static inline uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (value < 0 ? ~(uint64_t)0 : 0);
}

static inline int64_t varint_size(int64_t value)
{
    int64_t size = 1;
    for (uint64_t bits = zigzag(value); bits > 0x7f; bits >>= 7)
        size++;
    return size;
}

static inline int64_t field_size(field of)
{
    return varint_size(of.size) + (of.size > 0 ? of.size : 0);
}

/* What follows the record's length; more than BLOCK_BYTES_MAX where it cannot be told. */
static inline int64_t body_size(const record *of)
{
    int64_t size = 1 + varint_size(of->timestamp_delta) + varint_size(of->offset_delta) +
                   varint_size(of->header_count);
    if (of->key.size > BLOCK_BYTES_MAX || of->value.size > BLOCK_BYTES_MAX)
        return BLOCK_BYTES_MAX + 1;
    size += field_size(of->key) + field_size(of->value);
    for (int64_t number = 0; number < 2 * of->header_count && size <= BLOCK_BYTES_MAX; number++) {
        if (of->headers[number].size > BLOCK_BYTES_MAX)
            return BLOCK_BYTES_MAX + 1;
        size += field_size(of->headers[number]);
    }
    return size;
}

/* Where bytes go; `at` becomes NULL when there is no room, and stays so. */
typedef struct {
    uint8_t *at;
    const uint8_t *end;
} output;

static inline void put_varint(output *out, int64_t value)
{
    uint64_t bits = zigzag(value);
    uint8_t *at = out->at;
    if (at == NULL || (out->end - at < VARINT_BYTES_MAX && out->end - at < varint_size(value))) {
        out->at = NULL;
        return;
    }
    for (; bits > 0x7f; bits >>= 7)
        *at++ = (uint8_t)(bits | 0x80);
    *at++ = (uint8_t)bits;
    out->at = at;
}

static inline void put_field(output *out, field given)
{
    put_varint(out, given.size);
    if (given.size <= 0)
        return;
    if (out->at == NULL || given.size > out->end - out->at) {
        out->at = NULL;
        return;
    }
    memcpy(out->at, given.data, (size_t)given.size);
    out->at += given.size;
}

static inline void put_record(output *out, const record *given, int64_t body)
{
    put_varint(out, body);
    put_varint(out, 0); /* attributes: none are defined */
    put_varint(out, given->timestamp_delta);
    put_varint(out, given->offset_delta);
    put_field(out, given->key);
    put_field(out, given->value);
    put_varint(out, given->header_count);
    for (int64_t number = 0; number < 2 * given->header_count; number++)
        put_field(out, given->headers[number]);
}

static inline int take_bytes(PyObject *given, field *out)
{
    out->data = NULL;
    out->size = -1;
    if (given == Py_None)
        return 1;
    if (!PyBytes_Check(given))
        return 0;
    out->data = (const uint8_t *)PyBytes_AsString(given);
    out->size = PyBytes_Size(given);
    return 1;
}

static inline int take_time(PyObject *given, int64_t *out)
{
    *out = PyLong_AsLongLong(given);
    if (*out == -1 && PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_OverflowError))
            refuse(BAD_TIME);
        return 0;
    }
    return 1;
}

static inline int64_t greater(int64_t one, int64_t other) { return one > other ? one : other; }

#endif
