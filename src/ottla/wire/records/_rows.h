/* Records as columns, for the compiled twins: taken from Python, read row by row.
 *
 * A column is a list of bytes and None, or (data, ends, valid); headers are None or (ends, names,
 * values); timestamps are one number or int64. Others may change the bytes of a column at any time:
 * whatever is read is checked, each time.
 */
#ifndef OTTLA_ROWS_H
#define OTTLA_ROWS_H

#include "_record.h"

#include <stdlib.h>

static const char BAD_ENDS[] = "positions go back, or outside of what they point to";
static const char BAD_LENGTHS[] = "columns differ in their lengths";
static const char BAD_NAME[] = "a header's name is null, or not UTF-8";
static const char BAD_ROWS[] = "rows outside of the columns";

typedef struct {
    PyObject *list; /* either this, borrowed, or buffers */
    Py_buffer data, ends, valid;
    Py_ssize_t count;
} source;

typedef struct {
    Py_ssize_t count;
    int has_keys, has_headers, needs_gil;
    source values, keys, names, header_values;
    Py_buffer header_ends, timestamps;
    int64_t timestamp; /* of all, where `timestamps` holds none */
    field *headers; /* those of one record */
    Py_ssize_t headers_room;
} columns;

static inline int64_t end_at(const Py_buffer *ends, Py_ssize_t index)
{
    int32_t end;
    memcpy(&end, (const char *)ends->buf + index * (Py_ssize_t)sizeof end, sizeof end);
    return end;
}

static inline const char *read_field(const source *from, Py_ssize_t index, field *out)
{
    if (from->list != NULL) {
        PyObject *item = PyList_GetItem(from->list, index);
        if (item == NULL)
            PyErr_Clear();
        return item == NULL ? BAD_LENGTHS : take_bytes(item, out) ? NULL : NOT_BYTES;
    }
    int64_t start = end_at(&from->ends, index), end = end_at(&from->ends, index + 1);
    if (start < 0 || start > end || end > from->data.len)
        return BAD_ENDS;
    const uint8_t *valid = from->valid.buf;
    int is_null = valid != NULL && !(valid[index >> 3] >> (index & 7) & 1);
    out->data = (const uint8_t *)from->data.buf + start;
    out->size = is_null ? -1 : end - start;
    return NULL;
}

static inline const char *read_headers(columns *from, Py_ssize_t index, record *out)
{
    int64_t start = end_at(&from->header_ends, index), end = end_at(&from->header_ends, index + 1);
    if (start < 0 || start > end || end > from->names.count)
        return BAD_ENDS;
    if (end - start > from->headers_room) {
        field *larger = realloc(from->headers, 2 * (size_t)(end - start) * sizeof *larger);
        if (larger == NULL)
            return NO_MEMORY;
        from->headers = larger;
        from->headers_room = (Py_ssize_t)(end - start);
    }
    for (int64_t number = start; number < end; number++) {
        field *pair = from->headers + 2 * (number - start);
        const char *refused = read_field(&from->names, (Py_ssize_t)number, &pair[0]);
        if (refused || (refused = read_field(&from->header_values, (Py_ssize_t)number, &pair[1])))
            return refused;
    }
    out->headers = from->headers;
    out->header_count = end - start;
    return NULL;
}

static inline int64_t timestamp_at(const columns *from, Py_ssize_t index)
{
    int64_t timestamp = from->timestamp;
    if (from->timestamps.obj != NULL)
        memcpy(&timestamp, (const char *)from->timestamps.buf + index * (Py_ssize_t)sizeof timestamp,
               sizeof timestamp);
    return timestamp;
}

/* A record without a time is written with that of the first. */
static inline const char *read_record(columns *from, Py_ssize_t index, int64_t base, record *out)
{
    int64_t timestamp = timestamp_at(from, index);
    if (timestamp < NO_TIMESTAMP || timestamp > TIMESTAMP_MAX)
        return BAD_TIME;
    out->timestamp = timestamp;
    out->timestamp_delta = timestamp < 0 ? 0 : timestamp - base;
    out->offset_delta = index;
    out->key.size = -1;
    out->header_count = 0;
    const char *refused = read_field(&from->values, index, &out->value);
    if (!refused && from->has_keys)
        refused = read_field(&from->keys, index, &out->key);
    if (!refused && from->has_headers)
        refused = read_headers(from, index, out);
    return refused;
}

static inline const char *check_names_of(const record *of)
{
    for (int64_t number = 0; number < of->header_count; number++) {
        field name = of->headers[2 * number];
        if (name.size < 0 || !is_utf8(name))
            return BAD_NAME;
    }
    return NULL;
}

/* --- taking columns from Python --- */

static inline int count_ends(const Py_buffer *ends, Py_ssize_t *count)
{
    *count = ends->len / (Py_ssize_t)sizeof(int32_t) - 1;
    if (*count >= 0)
        return 1;
    refuse(BAD_LENGTHS);
    return 0;
}

static inline int take_source(PyObject *given, source *out)
{
    PyObject *valid;
    if (PyList_Check(given)) {
        out->list = given;
        out->count = PyList_Size(given);
        return 1;
    }
    if (!PyArg_ParseTuple(given, "y*y*O", &out->data, &out->ends, &valid) ||
        !count_ends(&out->ends, &out->count))
        return 0;
    if (valid == Py_None)
        return 1;
    if (PyObject_GetBuffer(valid, &out->valid, PyBUF_SIMPLE) < 0)
        return 0;
    if (out->valid.len >= (out->count + 7) / 8)
        return 1;
    refuse(BAD_LENGTHS);
    return 0;
}

static inline int take_headers(PyObject *given, columns *out)
{
    PyObject *names, *values;
    Py_ssize_t count;
    out->has_headers = 1;
    if (!PyArg_ParseTuple(given, "y*OO", &out->header_ends, &names, &values) ||
        !count_ends(&out->header_ends, &count) || !take_source(names, &out->names) ||
        !take_source(values, &out->header_values))
        return 0;
    if (count == out->count && out->names.count == out->header_values.count)
        return 1;
    refuse(BAD_LENGTHS);
    return 0;
}

static inline int take_times(PyObject *given, columns *out)
{
    if (PyLong_Check(given))
        return take_time(given, &out->timestamp);
    if (PyObject_GetBuffer(given, &out->timestamps, PyBUF_SIMPLE) < 0)
        return 0;
    if (out->timestamps.len == out->count * (Py_ssize_t)sizeof(int64_t))
        return 1;
    refuse(BAD_LENGTHS);
    return 0;
}

static inline int take_columns(PyObject *args, columns *out)
{
    PyObject *values, *keys, *timestamps, *headers;
    if (!PyArg_ParseTuple(args, "nOOOO", &out->count, &values, &keys, &timestamps, &headers) ||
        !take_source(values, &out->values) || !take_times(timestamps, out))
        return 0;
    out->has_keys = keys != Py_None;
    if (out->has_keys && !take_source(keys, &out->keys))
        return 0;
    if (headers != Py_None && !take_headers(headers, out))
        return 0;
    out->needs_gil = out->values.list != NULL || out->keys.list != NULL ||
                     out->names.list != NULL || out->header_values.list != NULL;
    if (out->count > 0 && out->values.count == out->count &&
        (!out->has_keys || out->keys.count == out->count))
        return 1;
    refuse(BAD_LENGTHS);
    return 0;
}

static inline void drop_buffer(Py_buffer *held)
{
    if (held->obj != NULL)
        PyBuffer_Release(held);
}

static inline void drop_columns(columns *held)
{
    source *sources[] = {&held->values, &held->keys, &held->names, &held->header_values};
    for (size_t number = 0; number < sizeof sources / sizeof *sources; number++) {
        drop_buffer(&sources[number]->data);
        drop_buffer(&sources[number]->ends);
        drop_buffer(&sources[number]->valid);
    }
    drop_buffer(&held->header_ends);
    drop_buffer(&held->timestamps);
    free(held->headers);
}

#endif
