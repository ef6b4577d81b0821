/* The compiled form of request_counts.py: what every request costs is one call of `add`. */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>

/* FIRST_BUCKET_BITS of request_counts.py; and a place for each number of bits beyond. */
enum { FIRST_BUCKET_BITS = 14, PLACES = 64 - FIRST_BUCKET_BITS };

typedef struct {
    PyObject_HEAD
    long long slow_ns;
    unsigned long long duration_ns;
    unsigned long long request_bytes;
    unsigned long long response_bytes;
    unsigned long long places[PLACES];
} counts;

static int place_of(long long duration_ns)
{
    unsigned long long above = (unsigned long long)duration_ns >> FIRST_BUCKET_BITS;
    return above == 0 ? 0 : 64 - __builtin_clzll(above);
}

static PyObject *make(PyTypeObject *type, PyObject *args, PyObject *named)
{
    long long slow_ns;
    static char *names[] = {"slow_ns", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, named, "L", names, &slow_ns))
        return NULL;
    counts *made = (counts *)PyType_GenericAlloc(type, 0);
    if (made != NULL)
        made->slow_ns = slow_ns;
    return (PyObject *)made;
}

static void drop(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

PyDoc_STRVAR(add_doc, "add(duration_ns, request_bytes, response_bytes) -> whether it was slow");

static PyObject *add(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    counts *all = (counts *)self;
    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "add takes three numbers");
        return NULL;
    }
    long long duration_ns = PyLong_AsLongLong(args[0]);
    long long request_bytes = PyLong_AsLongLong(args[1]);
    long long response_bytes = PyLong_AsLongLong(args[2]);
    if ((duration_ns == -1 || request_bytes == -1 || response_bytes == -1) && PyErr_Occurred())
        return NULL;
    if (duration_ns < 0) {
        PyErr_SetString(PyExc_ValueError, "a request took less than no time");
        return NULL;
    }
    all->places[place_of(duration_ns)]++;
    all->duration_ns += (unsigned long long)duration_ns;
    all->request_bytes += (unsigned long long)request_bytes;
    all->response_bytes += (unsigned long long)response_bytes;
    return PyBool_FromLong(duration_ns > all->slow_ns);
}

PyDoc_STRVAR(read_doc, "read() -> (duration_ns, request_bytes, response_bytes, places)");

static PyObject *read_all(PyObject *self, PyObject *none)
{
    (void)none;
    counts *all = (counts *)self;
    PyObject *places = PyTuple_New(PLACES);
    if (places == NULL)
        return NULL;
    for (Py_ssize_t place = 0; place < PLACES; place++) {
        PyObject *number = PyLong_FromUnsignedLongLong(all->places[place]);
        if (number == NULL || PyTuple_SetItem(places, place, number) < 0) {
            Py_DECREF(places);
            return NULL;
        }
    }
    return Py_BuildValue("(KKKN)", all->duration_ns, all->request_bytes, all->response_bytes,
                         places);
}

static PyMethodDef methods[] = {
    {"add", (PyCFunction)(void (*)(void))add, METH_FASTCALL, add_doc},
    {"read", read_all, METH_NOARGS, read_doc},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, make},
    {Py_tp_dealloc, drop},
    {Py_tp_methods, methods},
    {0, NULL},
};

static PyType_Spec spec = {
    "ottla.broker._request_counts.RequestCounts", sizeof(counts), 0, Py_TPFLAGS_DEFAULT, slots,
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_request_counts", "What became of requests, in numbers.", -1, NULL,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__request_counts(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL)
        return NULL;
    PyObject *type = PyType_FromSpec(&spec);
    if (type == NULL || PyModule_AddObjectRef(module, "RequestCounts", type) < 0) {
        Py_XDECREF(type);
        Py_DECREF(module);
        return NULL;
    }
    Py_DECREF(type);
    return module;
}
