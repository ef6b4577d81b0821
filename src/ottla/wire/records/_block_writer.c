/* The compiled twin of BlockWriter in blocks.py: the same bytes from the same records. */
#include "_record.h"

#include <stddef.h>
#include <stdlib.h>
#include <structmember.h>

enum { CAPACITY_FIRST = 1024 };

typedef struct {
    PyObject_HEAD
    uint8_t *block;
    Py_ssize_t size, room;
    long long count, base_timestamp, max_timestamp;
} writer;

static PyObject *writer_new(PyTypeObject *type, PyObject *args, PyObject *names)
{
    static char *no_names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, names, "", no_names))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    writer *self = (writer *)allocate(type, 0);
    if (self != NULL)
        self->base_timestamp = self->max_timestamp = NO_TIMESTAMP;
    return (PyObject *)self;
}

static void writer_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    free(((writer *)self)->block);
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

static int make_room(writer *self, int64_t needed)
{
    if (needed <= self->room)
        return 1;
    int64_t room = greater(needed, greater(2 * (int64_t)self->room, CAPACITY_FIRST));
    uint8_t *larger = realloc(self->block, (size_t)room);
    if (larger == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    self->block = larger;
    self->room = (Py_ssize_t)room;
    return 1;
}

static PyObject *append(writer *self, int64_t timestamp, record *given)
{
    int64_t base = self->count ? self->base_timestamp : timestamp;
    given->timestamp_delta = timestamp < 0 ? 0 : timestamp - base;
    given->offset_delta = self->count;
    int64_t body = body_size(given);
    int64_t size = self->size + varint_size(body) + body;
    if (size > BLOCK_BYTES_MAX)
        return refuse(TOO_LARGE);
    if (!make_room(self, size))
        return NULL;
    output out = {self->block + self->size, self->block + size};
    put_record(&out, given, body);
    self->size = (Py_ssize_t)size;
    self->base_timestamp = base;
    self->max_timestamp = greater(self->max_timestamp, base + given->timestamp_delta);
    self->count++;
    return PyLong_FromSsize_t(self->size);
}

PyDoc_STRVAR(write_doc, "write(timestamp, key, value, headers=(), /) -> size of the block so far");

static PyObject *writer_write(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    int64_t timestamp;
    record given = {0};
    PyObject *headers = NULL, *result = NULL;
    field *fields = NULL;
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
        refuse(NOT_BYTES);
    else if (given.header_count == 0)
        result = append((writer *)self, timestamp, &given);
    else if ((fields = take_pairs(headers, (Py_ssize_t)given.header_count)) != NULL) {
        given.headers = fields;
        result = append((writer *)self, timestamp, &given);
    }
    free(fields);
    Py_XDECREF(headers);
    return result;
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
    PyObject *type = PyType_FromSpec(&writer_spec);
    if (type == NULL || PyModule_AddObjectRef(module, "BlockWriter", type) < 0) {
        Py_XDECREF(type);
        Py_DECREF(module);
        return NULL;
    }
    Py_DECREF(type);
    return module;
}
