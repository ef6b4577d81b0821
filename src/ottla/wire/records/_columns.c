/* The compiled twin of columns.py: the same records from the same bytes, checked by the same tests.
 *
 * Two walks over the blocks: the first checks everything and counts, the second fills columns of
 * exactly that size. Both run without the GIL where the blocks are large, so that their bytes may
 * be changed by others meanwhile; therefore the second checks all that the first did, and never
 * writes beyond what was counted.
 */
#include "_field.h"

#include <stdlib.h>
#include <string.h>

/* Columns of byte strings, in the order in which they are returned. */
enum { KEYS, VALUES, NAMES, HEADER_VALUES, COLUMNS };

static PyObject *array_type, *make_block;

enum { BLOCK_BYTES_MIN = 65536 };

typedef struct {
    const uint8_t *start, *end;
    int64_t base_offset, timestamp;
    long long count;
    int has_broker_time;
} block;

typedef struct {
    int64_t offset, timestamp;
    field key, value;
    int64_t header_count;
    const uint8_t *headers, *end;
} record;

/* --- reading: each function checks before it reads, and returns why it refuses, or NULL --- */

static const char *read_varint(const uint8_t **at, const uint8_t *end, int64_t *value)
{
    uint64_t bits = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (*at >= end)
            return "records end too early";
        uint8_t byte = *(*at)++;
        if (shift == 63 && byte > 1)
            return "a varint has more than 64 bits";
        bits |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            break;
    }
    *value = (int64_t)(bits >> 1 ^ (0 - (bits & 1)));
    return NULL;
}

static const char *read_field(const uint8_t **at, const uint8_t *end, field *out)
{
    const char *refused = read_varint(at, end, &out->size);
    if (refused)
        return refused;
    out->data = *at;
    if (out->size < -1)
        return "a length is negative";
    if (out->size > end - *at)
        return "a field does not fit its record";
    if (out->size > 0)
        *at += out->size;
    return NULL;
}

static const char *read_record(const uint8_t **at, const block *in, record *out)
{
    int64_t length, timestamp_delta, offset_delta;
    const char *refused = read_varint(at, in->end, &length);
    if (refused)
        return refused;
    if (length < 1 || length > in->end - *at)
        return "a record does not fit its batch";
    const uint8_t *end = *at + length;
    ++*at; /* attributes: none are defined */
    if ((refused = read_varint(at, end, &timestamp_delta)) ||
        (refused = read_varint(at, end, &offset_delta)) ||
        (refused = read_field(at, end, &out->key)) ||
        (refused = read_field(at, end, &out->value)) ||
        (refused = read_varint(at, end, &out->header_count)))
        return refused;
    if (out->header_count < 0 || out->header_count > end - *at)
        return "headers do not fit their record";
    out->timestamp = in->timestamp;
    if (__builtin_add_overflow(in->base_offset, offset_delta, &out->offset) ||
        (!in->has_broker_time &&
         __builtin_add_overflow(in->timestamp, timestamp_delta, &out->timestamp)))
        return "an offset or a time is beyond 64 bits";
    if (out->header_count == 0 && *at != end)
        return "a record is longer than its fields";
    out->headers = *at;
    out->end = end;
    *at = end;
    return NULL;
}

static const char *read_header(const uint8_t **at, const uint8_t *end, field *name, field *value)
{
    const char *refused;
    if ((refused = read_field(at, end, name)) || (refused = read_field(at, end, value)))
        return refused;
    if (name->size < 0)
        return "a header without a name";
    return is_utf8(*name) ? NULL : "a header's name is not UTF-8";
}

/* --- the first walk: counting --- */

typedef struct {
    int64_t rows, bytes, nulls;
} extent;

typedef struct {
    int64_t records;
    extent columns[COLUMNS];
} census;

static void count_field(extent *column, field cell)
{
    column->rows++;
    if (cell.size < 0)
        column->nulls++;
    else
        column->bytes += cell.size;
}

static const char *count_headers(const record *in, census *counted)
{
    field name, value;
    const uint8_t *at = in->headers;
    for (int64_t number = 0; number < in->header_count; number++) {
        const char *refused = read_header(&at, in->end, &name, &value);
        if (refused)
            return refused;
        count_field(&counted->columns[NAMES], name);
        count_field(&counted->columns[HEADER_VALUES], value);
    }
    return at == in->end ? NULL : "a record is longer than its headers";
}

static const char *count_block(const block *in, int64_t from_offset, census *total)
{
    census counted = *total, ignored;
    const uint8_t *at = in->start;
    record one;
    if (in->count < 0)
        return "a batch counts less than no records";
    for (long long number = 0; number < in->count; number++) {
        const char *refused = read_record(&at, in, &one);
        if (refused)
            return refused;
        int is_wanted = one.offset >= from_offset;
        if (one.header_count) {
            memset(&ignored, 0, sizeof ignored);
            refused = count_headers(&one, is_wanted ? &counted : &ignored);
            if (refused)
                return refused;
        }
        if (is_wanted) {
            counted.records++;
            count_field(&counted.columns[KEYS], one.key);
            count_field(&counted.columns[VALUES], one.value);
        }
    }
    if (at != in->end)
        return "bytes follow the last record";
    *total = counted;
    return NULL;
}

static Py_ssize_t count_blocks(const block *blocks, Py_ssize_t count, int64_t from_offset,
                               census *total, const char **refused)
{
    for (Py_ssize_t number = 0; number < count; number++)
        if ((*refused = count_block(&blocks[number], from_offset, total)))
            return number;
    return count;
}

/* --- the second walk: filling --- */

typedef struct {
    PyObject *array;
    Py_buffer view;
} numbers;

typedef struct {
    extent room, used;
    PyObject *data, *valid; /* valid is NULL where nothing is null */
    uint8_t *bytes, *bits;
    numbers ends;
} column;

typedef struct {
    int64_t rows, used;
    numbers offsets, timestamps, header_ends;
    column columns[COLUMNS];
} table;

static int put_field(column *out, field cell)
{
    int64_t row = out->used.rows;
    if (row >= out->room.rows || cell.size > out->room.bytes - out->used.bytes)
        return 0;
    if (cell.size < 0 && out->bits == NULL)
        return 0;
    if (cell.size > 0) {
        memcpy(out->bytes + out->used.bytes, cell.data, (size_t)cell.size);
        out->used.bytes += cell.size;
    }
    if (cell.size >= 0 && out->bits != NULL)
        out->bits[row >> 3] |= (uint8_t)(1 << (row & 7));
    ((int32_t *)out->ends.view.buf)[row + 1] = (int32_t)out->used.bytes;
    out->used.rows++;
    return 1;
}

static int put_headers(const record *in, table *out)
{
    field name, value;
    const uint8_t *at = in->headers;
    for (int64_t number = 0; number < in->header_count; number++)
        if (read_header(&at, in->end, &name, &value) || !put_field(&out->columns[NAMES], name) ||
            !put_field(&out->columns[HEADER_VALUES], value))
            return 0;
    return 1;
}

static int put_record(const record *in, table *out)
{
    int64_t row = out->used;
    if (row >= out->rows || !put_field(&out->columns[KEYS], in->key) ||
        !put_field(&out->columns[VALUES], in->value) || !put_headers(in, out))
        return 0;
    ((int64_t *)out->offsets.view.buf)[row] = in->offset;
    ((int64_t *)out->timestamps.view.buf)[row] = in->timestamp;
    ((int32_t *)out->header_ends.view.buf)[row + 1] = (int32_t)out->columns[NAMES].used.rows;
    out->used++;
    return 1;
}

/* Whether the blocks still hold what was counted in them. */
static int fill(const block *blocks, Py_ssize_t count, int64_t from_offset, table *out)
{
    record one;
    for (Py_ssize_t number = 0; number < count; number++) {
        const block *in = &blocks[number];
        const uint8_t *at = in->start;
        for (long long left = in->count; left > 0; left--)
            if (read_record(&at, in, &one) ||
                (one.offset >= from_offset && !put_record(&one, out)))
                return 0;
    }
    for (int number = 0; number < COLUMNS; number++) {
        const extent *room = &out->columns[number].room, *used = &out->columns[number].used;
        if (used->rows != room->rows || used->bytes != room->bytes)
            return 0;
    }
    return out->used == out->rows;
}

/* --- Python's objects --- */

static int make_numbers(numbers *out, const char *code, int64_t count)
{
    PyObject *zero = PyObject_CallFunction(array_type, "s[i]", code, 0);
    if (zero == NULL)
        return 0;
    out->array = PySequence_Repeat(zero, (Py_ssize_t)count);
    Py_DECREF(zero);
    return out->array != NULL && PyObject_GetBuffer(out->array, &out->view, PyBUF_WRITABLE) == 0;
}

/* Large data lies in a block, see memory.py. */
static int make_data(column *out, Py_ssize_t size)
{
    if (size < BLOCK_BYTES_MIN) {
        out->data = PyBytes_FromStringAndSize(NULL, size);
        out->bytes = out->data == NULL ? NULL : (uint8_t *)PyBytes_AsString(out->data);
        return out->data != NULL;
    }
    Py_buffer view;
    out->data = PyObject_CallFunction(make_block, "n", size);
    if (out->data == NULL || PyObject_GetBuffer(out->data, &view, PyBUF_WRITABLE) < 0)
        return 0;
    out->bytes = view.buf; /* the memory is the block's, and stays where it is */
    PyBuffer_Release(&view);
    return 1;
}

static int make_column(column *out, const extent *room)
{
    out->room = *room;
    if (!make_data(out, (Py_ssize_t)room->bytes) || !make_numbers(&out->ends, "i", room->rows + 1))
        return 0;
    if (room->nulls == 0)
        return 1;
    Py_ssize_t size = (Py_ssize_t)((room->rows + 7) / 8);
    out->valid = PyBytes_FromStringAndSize(NULL, size);
    if (out->valid == NULL)
        return 0;
    out->bits = (uint8_t *)PyBytes_AsString(out->valid);
    memset(out->bits, 0, (size_t)size);
    return 1;
}

static int make_table(table *out, const census *counted)
{
    out->rows = counted->records;
    for (int number = 0; number < COLUMNS; number++) {
        const extent *room = &counted->columns[number];
        if (room->bytes > INT32_MAX || room->rows >= INT32_MAX) {
            PyErr_SetString(PyExc_OverflowError, "a column holds up to 2 GiB");
            return 0;
        }
        if (!make_column(&out->columns[number], room))
            return 0;
    }
    return make_numbers(&out->offsets, "q", out->rows) &&
           make_numbers(&out->timestamps, "q", out->rows) &&
           make_numbers(&out->header_ends, "i", out->rows + 1);
}

static void drop_numbers(numbers *held)
{
    if (held->view.obj != NULL)
        PyBuffer_Release(&held->view);
    Py_XDECREF(held->array);
}

static void drop_table(table *held)
{
    drop_numbers(&held->offsets);
    drop_numbers(&held->timestamps);
    drop_numbers(&held->header_ends);
    for (int number = 0; number < COLUMNS; number++) {
        drop_numbers(&held->columns[number].ends);
        Py_XDECREF(held->columns[number].data);
        Py_XDECREF(held->columns[number].valid);
    }
}

static PyObject *told_column(const column *told)
{
    return Py_BuildValue("(OOO)", told->data, told->ends.array,
                         told->valid ? told->valid : Py_None);
}

static PyObject *told(const table *opened)
{
    const column *columns = opened->columns;
    return Py_BuildValue("(OONNONN)", opened->offsets.array, opened->timestamps.array,
                         told_column(&columns[KEYS]), told_column(&columns[VALUES]),
                         opened->header_ends.array, told_column(&columns[NAMES]),
                         told_column(&columns[HEADER_VALUES]));
}

static PyObject *open_blocks(const block *blocks, Py_ssize_t count, int64_t from_offset,
                             int is_large)
{
    census counted;
    table opened;
    const char *refused = NULL;
    PyObject *columns = NULL;
    memset(&counted, 0, sizeof counted);
    memset(&opened, 0, sizeof opened);
    PyThreadState *thread = is_large ? PyEval_SaveThread() : NULL;
    Py_ssize_t good = count_blocks(blocks, count, from_offset, &counted, &refused);
    if (thread)
        PyEval_RestoreThread(thread);
    if (make_table(&opened, &counted)) {
        thread = is_large ? PyEval_SaveThread() : NULL;
        int is_filled = fill(blocks, good, from_offset, &opened);
        if (thread)
            PyEval_RestoreThread(thread);
        if (is_filled)
            columns = told(&opened);
        else
            PyErr_SetString(PyExc_RuntimeError, "the batches were changed while they were read");
    }
    drop_table(&opened);
    return columns == NULL ? NULL : Py_BuildValue("(nzN)", good, refused, columns);
}

static int take_block(PyObject *given, Py_buffer *buffer, block *out)
{
    long long base_offset, timestamp;
    if (!PyArg_ParseTuple(given, "y*LLLi", buffer, &out->count, &base_offset, &timestamp,
                          &out->has_broker_time))
        return 0;
    out->start = buffer->buf;
    out->end = out->start + buffer->len;
    out->base_offset = base_offset;
    out->timestamp = timestamp;
    return 1;
}

PyDoc_STRVAR(open_doc,
             "open_blocks(blocks, from_offset) -> (count, reason, columns)\n\n"
             "A block is (bytes, record count, base offset, timestamp, whether that is the\n"
             "broker's for all). The columns are those of the first `count` blocks; `reason` says\n"
             "what is wrong with the next one.");

static PyObject *open_columns(PyObject *module, PyObject *args)
{
    PyObject *list, *result = NULL;
    long long from_offset;
    int64_t bytes = 0;
    Py_ssize_t taken = 0;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!L", &PyList_Type, &list, &from_offset))
        return NULL;
    Py_ssize_t count = PyList_Size(list);
    Py_buffer *buffers = calloc((size_t)count + 1, sizeof *buffers);
    block *blocks = calloc((size_t)count + 1, sizeof *blocks);
    if (buffers == NULL || blocks == NULL) {
        PyErr_NoMemory();
    } else {
        while (taken < count) {
            PyObject *given = PyList_GetItem(list, taken);
            if (given == NULL || !take_block(given, &buffers[taken], &blocks[taken]))
                break;
            bytes += buffers[taken++].len;
        }
        if (taken == count)
            result = open_blocks(blocks, count, from_offset, bytes >= BYTES_WITHOUT_GIL_MIN);
    }
    while (taken > 0)
        PyBuffer_Release(&buffers[--taken]);
    free(buffers);
    free(blocks);
    return result;
}

PyDoc_STRVAR(values_doc,
             "values(data, ends, valid, begin, end) -> list\n\n"
             "The values of a BytesColumn from `begin` up to `end`. Raises ValueError where the\n"
             "buffers contradict each other.");

typedef struct {
    Py_buffer data, ends, valid;
} buffers_of;

static PyObject *value_at(const buffers_of *in, Py_ssize_t row)
{
    const int32_t *ends = in->ends.buf;
    int32_t start = ends[row], stop = ends[row + 1];
    if (in->valid.buf != NULL && !(((const uint8_t *)in->valid.buf)[row >> 3] >> (row & 7) & 1))
        return Py_NewRef(Py_None);
    if (start < 0 || stop < start || stop > in->data.len) {
        PyErr_SetString(PyExc_ValueError, "positions outside of what they point to");
        return NULL;
    }
    return PyBytes_FromStringAndSize((const char *)in->data.buf + start, stop - start);
}

static PyObject *list_values(const buffers_of *in, Py_ssize_t begin, Py_ssize_t end)
{
    Py_ssize_t rows = in->ends.len / (Py_ssize_t)sizeof(int32_t) - 1;
    int has_bits = in->valid.buf == NULL || in->valid.len >= (end + 7) / 8;
    if (begin < 0 || end < begin || end > rows || !has_bits) {
        PyErr_SetString(PyExc_ValueError, "a column has no such rows");
        return NULL;
    }
    PyObject *list = PyList_New(end - begin);
    for (Py_ssize_t row = begin; list != NULL && row < end; row++) {
        PyObject *value = value_at(in, row);
        if (value == NULL || PyList_SetItem(list, row - begin, value) < 0)
            Py_CLEAR(list);
    }
    return list;
}

static PyObject *values(PyObject *module, PyObject *args)
{
    buffers_of in;
    Py_ssize_t begin, end;
    (void)module;
    memset(&in, 0, sizeof in);
    if (!PyArg_ParseTuple(args, "y*y*z*nn", &in.data, &in.ends, &in.valid, &begin, &end))
        return NULL;
    PyObject *list = list_values(&in, begin, end);
    PyBuffer_Release(&in.data);
    PyBuffer_Release(&in.ends);
    PyBuffer_Release(&in.valid);
    return list;
}

static PyMethodDef methods[] = {
    {"values", values, METH_VARARGS, values_doc},
    {"open_blocks", open_columns, METH_VARARGS, open_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_columns", "Batches opened into columns.", -1, methods,
    NULL, NULL, NULL, NULL,
};

static PyObject *imported(const char *module, const char *name)
{
    PyObject *found = PyImport_ImportModule(module);
    PyObject *object = found == NULL ? NULL : PyObject_GetAttrString(found, name);
    Py_XDECREF(found);
    return object;
}

PyMODINIT_FUNC PyInit__columns(void)
{
    array_type = imported("array", "array");
    make_block = imported("ottla.wire.records._memory", "block");
    return array_type == NULL || make_block == NULL ? NULL : PyModule_Create(&definition);
}
