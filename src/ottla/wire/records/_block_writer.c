/* The compiled twin of BlockWriterInPython in blocks.py: the same bytes from the same records. */
#include "_rows.h"

#include <stddef.h>
#include <structmember.h>

/* An exception says why already. */
static const char ALREADY_SET[] = "an exception is set";

static const char TAKEN[] = "the block was taken: nothing can follow";

enum { CAPACITY_FIRST = 1024, TIMES_FIRST = 16, BEFORE_MAX = 1024 };

typedef struct {
    PyObject_HEAD
    PyObject *memory; /* lent by _memory: `before` bytes for a header, then the block; or NULL */
    Py_buffer view;   /* of it */
    uint8_t *block;   /* inside of it */
    int64_t *times;   /* of each record, as it was given */
    Py_ssize_t before, size, room, times_room;
    long long count, base_timestamp, max_timestamp;
    int is_taken;
} writer;

/* block(size) of _memory. */
static PyObject *lend;

static PyObject *writer_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
    static char *known_names[] = {"", NULL};
    Py_ssize_t before = 0;
    if (!PyArg_ParseTupleAndKeywords(args, names, "|n", known_names, &before))
        return NULL;
    if (before < 0 || before > BEFORE_MAX)
        return refuse("no header has this size");
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    writer *self = (writer *)allocate(type, 0);
    if (self != NULL) {
        self->before = before;
        self->base_timestamp = self->max_timestamp = NO_TIMESTAMP;
    }
    return (PyObject *)self;
}

static void drop_memory(writer *self)
{
    if (self->memory != NULL)
        PyBuffer_Release(&self->view);
    Py_CLEAR(self->memory);
    self->block = NULL;
    self->room = 0;
}

static void writer_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    drop_memory((writer *)self);
    free(((writer *)self)->times);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

/* Names and values in turn; they live as long as the tuple. NULL with an exception set. */
static field *take_pairs(PyObject *headers, Py_ssize_t count)
{
    field *fields = malloc(2 * (size_t)count * sizeof *fields);
    if (fields == NULL)
        return (field *)PyErr_NoMemory();
    for (Py_ssize_t number = 0; number < count; number++) {
        PyObject *pair = PyTuple_GetItem(headers, number);
        PyObject *name = PyTuple_Check(pair) && PyTuple_Size(pair) == 2 ? PyTuple_GetItem(pair, 0)
                                                                        : NULL;
        Py_ssize_t size;
        const char *text = NULL;
        if (name == NULL || !PyUnicode_Check(name))
            PyErr_SetString(PyExc_TypeError, "a header is a name and a value");
        else
            text = PyUnicode_AsUTF8AndSize(name, &size);
        if (text != NULL && !take_bytes(PyTuple_GetItem(pair, 1), &fields[2 * number + 1]))
            text = (const char *)refuse(NOT_BYTES);
        if (text == NULL) {
            free(fields);
            return NULL;
        }
        fields[2 * number].data = (const uint8_t *)text;
        fields[2 * number].size = size;
    }
    return fields;
}

/* Larger memory, for a block of `room` bytes. */
static int set_room(writer *self, Py_ssize_t room)
{
    Py_buffer view;
    PyObject *larger = PyObject_CallFunction(lend, "n", self->before + room);
    if (larger == NULL)
        return 0;
    if (PyObject_GetBuffer(larger, &view, PyBUF_WRITABLE) < 0) {
        Py_DECREF(larger);
        return 0;
    }
    if (self->memory == NULL)
        memset(view.buf, 0, (size_t)self->before);
    else
        memcpy(view.buf, self->view.buf, (size_t)(self->before + self->size));
    drop_memory(self);
    self->memory = larger;
    self->view = view;
    self->block = (uint8_t *)view.buf + self->before;
    self->room = room;
    return 1;
}

/* For a block of `needed` bytes; if there is none, rather for `expected` ones at once. */
static const char *make_room(writer *self, int64_t needed, int64_t expected)
{
    if (self->is_taken)
        return TAKEN;
    if (self->count >= self->times_room) {
        Py_ssize_t room = self->times_room ? 2 * self->times_room : TIMES_FIRST;
        int64_t *larger = realloc(self->times, (size_t)room * sizeof *larger);
        if (larger == NULL)
            return NO_MEMORY;
        self->times = larger;
        self->times_room = room;
    }
    if (needed <= self->room)
        return NULL;
    int64_t room = greater(needed, greater(2 * (int64_t)self->room, CAPACITY_FIRST));
    return set_room(self, (Py_ssize_t)greater(room, expected)) ? NULL : ALREADY_SET;
}

/* One more record, unless the block would be longer than `limit`. `alike` records are about to
 * follow it, as far as they have room below `usual_limit`. */
static const char *append(writer *self, int64_t timestamp, record *given, int64_t limit,
                          int64_t alike, int64_t usual_limit)
{
    int64_t base = self->count ? self->base_timestamp : timestamp;
    given->timestamp_delta = timestamp < 0 ? 0 : timestamp - base;
    given->offset_delta = self->count;
    int64_t body = body_size(given);
    int64_t record_size = varint_size(body) + body;
    int64_t size = self->size + record_size;
    if (size > limit)
        return TOO_LARGE;
    int64_t left = usual_limit - size;
    int64_t following = left / record_size < alike ? left : alike * record_size;
    const char *refused = make_room(self, size, size + following);
    if (refused)
        return refused;
    output out = {self->block + self->size, self->block + size};
    put_record(&out, given, body);
    self->size = (Py_ssize_t)size;
    self->base_timestamp = base;
    self->max_timestamp = greater(self->max_timestamp, base + given->timestamp_delta);
    self->times[self->count++] = timestamp;
    return NULL;
}

PyDoc_STRVAR(write_doc, "write(timestamp, key, value, headers=(), /) -> size of the block so far");

static PyObject *writer_write(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int64_t timestamp;
    record given = {0};
    PyObject *headers = NULL;
    field *fields = NULL;
    const char *refused = NULL;
    if (count < 3 || count > 4) {
        PyErr_SetString(PyExc_TypeError, "write takes a timestamp, a key, a value and headers");
        return NULL;
    }
    if (!take_time(args[0], &timestamp))
        return NULL;
    if (timestamp < NO_TIMESTAMP || timestamp > TIMESTAMP_MAX)
        return refuse(BAD_TIME);
    if (count == 4) {
        headers = PySequence_Tuple(args[3]);
        if (headers == NULL)
            return NULL;
        given.header_count = PyTuple_Size(headers);
    }
    if (!take_bytes(args[1], &given.key) || !take_bytes(args[2], &given.value))
        refused = NOT_BYTES;
    else if (given.header_count && (fields = take_pairs(headers, (Py_ssize_t)given.header_count)) == NULL)
        refused = ALREADY_SET;
    if (!refused) {
        given.headers = fields;
        refused = append((writer *)self, timestamp, &given, BLOCK_BYTES_MAX, 0, 0);
    }
    free(fields);
    Py_XDECREF(headers);
    if (refused == ALREADY_SET)
        return NULL;
    return refused ? refuse(refused) : PyLong_FromSsize_t(((writer *)self)->size);
}

static const char *append_rows(writer *self, columns *from, const int32_t *rows, Py_ssize_t *at,
                               Py_ssize_t end, int64_t limit)
{
    record one;
    for (; *at < end; ++*at) {
        Py_ssize_t index = rows ? rows[*at] : *at;
        if (index < 0 || index >= from->count)
            return BAD_ROWS;
        const char *refused = read_record(from, index, 0, &one);
        if (!refused)
            refused = append(self, one.timestamp, &one, self->count ? limit : BLOCK_BYTES_MAX,
                             end - *at - 1, limit);
        if (refused)
            return refused == TOO_LARGE && self->count ? NULL : refused;
    }
    return NULL;
}

/* As append_rows, but after a refusal the block is as it was before. */
static const char *append_all_or_none(writer *self, columns *from, const int32_t *rows,
                                      Py_ssize_t *at, Py_ssize_t end, int64_t limit)
{
    const writer before = *self;
    const char *refused = append_rows(self, from, rows, at, end, limit);
    if (refused) {
        self->size = before.size;
        self->count = before.count;
        self->base_timestamp = before.base_timestamp;
        self->max_timestamp = before.max_timestamp;
    }
    return refused;
}

PyDoc_STRVAR(add_rows_doc,
             "add_rows(columns, rows, first, end, limit, /) -> first that was not written\n\n"
             "Of `rows` (int32), or of the columns where that is None, those from first to end.");

static PyObject *writer_add_rows(PyObject *self, PyObject *args)
{
    columns given;
    Py_buffer rows = {0};
    PyObject *from, *chosen, *result = NULL;
    Py_ssize_t first, end;
    long long limit;
    if (!PyArg_ParseTuple(args, "OOnnL", &from, &chosen, &first, &end, &limit))
        return NULL;
    memset(&given, 0, sizeof given);
    if (take_columns(from, &given) &&
        (chosen == Py_None || PyObject_GetBuffer(chosen, &rows, PyBUF_SIMPLE) == 0)) {
        const char *refused =
            first < 0 || (rows.obj && end > rows.len / (Py_ssize_t)sizeof(int32_t))
                ? BAD_ROWS
                : append_all_or_none((writer *)self, &given, rows.buf, &first, end, limit);
        if (refused != ALREADY_SET)
            result = refused ? refuse(refused) : PyLong_FromSsize_t(first);
    }
    drop_buffer(&rows);
    drop_columns(&given);
    return result;
}

PyDoc_STRVAR(time_at_doc, "time_at(index) -> the time that this record was given");

static PyObject *writer_time_at(PyObject *self, PyObject *given)
{
    const writer *from = (const writer *)self;
    long long index = PyLong_AsLongLong(given);
    if (index == -1 && PyErr_Occurred())
        return NULL;
    if (index >= 0 && index < from->count)
        return PyLong_FromLongLong(from->times[index]);
    PyErr_SetString(PyExc_IndexError, "a block has no such record");
    return NULL;
}

PyDoc_STRVAR(drop_records_doc, "drop_records(): let go of the bytes; counts and times stay");

static PyObject *writer_drop_records(PyObject *self, PyObject *unused)
{
    writer *from = (writer *)self;
    (void)unused;
    drop_memory(from);
    from->size = 0;
    from->is_taken = 1;
    Py_RETURN_NONE;
}

PyDoc_STRVAR(take_doc, "take() -> memoryview: the room for a header, then the block; no copy");

static PyObject *writer_take(PyObject *self, PyObject *unused)
{
    writer *from = (writer *)self;
    (void)unused;
    if (from->memory == NULL && !set_room(from, 0))
        return NULL;
    from->is_taken = 1;
    return PySequence_GetSlice(from->memory, 0, from->before + from->size);
}

PyDoc_STRVAR(parts_doc, "parts() -> (block, count, base timestamp, max timestamp)");

static PyObject *writer_parts(PyObject *self, PyObject *unused)
{
    const writer *from = (const writer *)self;
    (void)unused;
    return Py_BuildValue("(NLLL)", PyBytes_FromStringAndSize((const char *)from->block, from->size),
                         from->count, from->base_timestamp, from->max_timestamp);
}

static PyMethodDef writer_methods[] = {
    {"write", (PyCFunction)(void (*)(void))writer_write, METH_FASTCALL, write_doc},
    {"add_rows", writer_add_rows, METH_VARARGS, add_rows_doc},
    {"time_at", writer_time_at, METH_O, time_at_doc},
    {"drop_records", writer_drop_records, METH_NOARGS, drop_records_doc},
    {"take", writer_take, METH_NOARGS, take_doc},
    {"parts", writer_parts, METH_NOARGS, parts_doc},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef writer_members[] = {
    {"count", T_LONGLONG, offsetof(writer, count), READONLY, "Records written."},
    {"size", T_PYSSIZET, offsetof(writer, size), READONLY, "Bytes written."},
    {"base_timestamp", T_LONGLONG, offsetof(writer, base_timestamp), READONLY, NULL},
    {"max_timestamp", T_LONGLONG, offsetof(writer, max_timestamp), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot writer_slots[] = {
    {Py_tp_doc, "A block that grows record by record."},
    {Py_tp_new, (void *)writer_new},
    {Py_tp_dealloc, (void *)writer_dealloc},
    {Py_tp_methods, writer_methods},
    {Py_tp_members, writer_members},
    {0, NULL},
};

static PyType_Spec writer_spec = {
    "ottla.wire.records._block_writer.BlockWriter", sizeof(writer), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, writer_slots,
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_block_writer", "Records made into blocks one by one.", -1, NULL,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__block_writer(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL)
        return NULL;
    PyObject *memory = PyImport_ImportModule("ottla.wire.records._memory");
    lend = memory == NULL ? NULL : PyObject_GetAttrString(memory, "block");
    Py_XDECREF(memory);
    PyObject *type = lend == NULL ? NULL : PyType_FromSpec(&writer_spec);
    if (type == NULL || PyModule_AddObjectRef(module, "BlockWriter", type) < 0) {
        Py_XDECREF(type);
        Py_DECREF(module);
        return NULL;
    }
    Py_DECREF(type);
    return module;
}
