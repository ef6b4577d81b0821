/* The compiled form of memory.py: blocks whose memory the next block of their size takes over.
 *
 * A block of a megabyte that the system has just given costs more by its page faults than by being
 * filled, and malloc gives such memory back as soon as it is free. What is kept here is of one size
 * class each, a power of two; the list of a class runs through the blocks themselves.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdlib.h>

/* From 64 KiB up to 16 MiB. What is smaller is not rounded up, and what is larger comes seldom:
 * neither is kept. */
enum { SMALLEST_BITS = 16, CLASSES = 9, NO_CLASS = -1 };

typedef struct kept {
    struct kept *next;
} kept;

typedef struct {
    PyObject_HEAD
    void *memory;
    Py_ssize_t size;
    int class;
} block;

static PyTypeObject *block_type;
static kept *lists[CLASSES]; /* guarded by the GIL, as the two below */
static Py_ssize_t kept_bytes, kept_bytes_max;

static Py_ssize_t bytes_of(int class)
{
    return (Py_ssize_t)1 << (SMALLEST_BITS + class);
}

static int class_for(Py_ssize_t size)
{
    if (size < bytes_of(0))
        return NO_CLASS;
    for (int class = 0; class < CLASSES; class++)
        if (size <= bytes_of(class))
            return class;
    return NO_CLASS;
}

static void *take(int class, Py_ssize_t size)
{
    if (class == NO_CLASS)
        return malloc((size_t)size + 1); /* never nothing */
    kept *found = lists[class];
    if (found == NULL)
        return malloc((size_t)bytes_of(class));
    lists[class] = found->next;
    kept_bytes -= bytes_of(class);
    return found;
}

static void give_back(void *memory, int class)
{
    if (class == NO_CLASS || kept_bytes + bytes_of(class) > kept_bytes_max) {
        free(memory);
        return;
    }
    kept *freed = memory;
    freed->next = lists[class];
    lists[class] = freed;
    kept_bytes += bytes_of(class);
}

static int view(PyObject *self, Py_buffer *out, int flags)
{
    block *held = (block *)self;
    return PyBuffer_FillInfo(out, self, held->memory, held->size, 0, flags);
}

static void drop(PyObject *self)
{
    block *held = (block *)self;
    PyTypeObject *type = Py_TYPE(self);
    if (held->memory != NULL)
        give_back(held->memory, held->class);
    PyObject_Free(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(block_doc, "block(size) -> memoryview of so many bytes, whatever they are");

static PyObject *make_block(PyObject *module, PyObject *given)
{
    (void)module;
    Py_ssize_t size = PyLong_AsSsize_t(given);
    if (size < 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a block has no negative size");
        return NULL;
    }
    block *made = PyObject_New(block, block_type);
    if (made == NULL)
        return NULL;
    made->size = size;
    made->class = class_for(size);
    made->memory = take(made->class, size);
    PyObject *seen =
        made->memory == NULL ? PyErr_NoMemory() : PyMemoryView_FromObject((PyObject *)made);
    Py_DECREF(made);
    return seen;
}

PyDoc_STRVAR(keep_doc, "keep(bytes): how much memory of free blocks is kept from now on");

static PyObject *keep(PyObject *module, PyObject *given)
{
    (void)module;
    Py_ssize_t bytes_max = PyLong_AsSsize_t(given);
    if (bytes_max == -1 && PyErr_Occurred())
        return NULL;
    kept_bytes_max = bytes_max;
    for (int class = CLASSES - 1; class >= 0; class--)
        while (lists[class] != NULL && kept_bytes > kept_bytes_max) {
            kept *found = lists[class];
            lists[class] = found->next;
            kept_bytes -= bytes_of(class);
            free(found);
        }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(kept_doc, "kept() -> bytes of free blocks that are kept");

static PyObject *tell_kept(PyObject *module, PyObject *none)
{
    (void)module;
    (void)none;
    return PyLong_FromSsize_t(kept_bytes);
}

static PyMethodDef methods[] = {
    {"block", make_block, METH_O, block_doc},
    {"keep", keep, METH_O, keep_doc},
    {"kept", tell_kept, METH_NOARGS, kept_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_memory", "Large memory, used again.", -1, methods,
    NULL, NULL, NULL, NULL,
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, drop},
    {Py_bf_getbuffer, view},
    {0, NULL},
};

static PyType_Spec spec = {
    "ottla.wire.records._memory.Block", sizeof(block), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots,
};

PyMODINIT_FUNC PyInit__memory(void)
{
    block_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return block_type == NULL ? NULL : PyModule_Create(&definition);
}
