/* The compiled twin of encode_records in blocks.py: the same bytes from the same columns.
 *
 * Columns are encoded in two walks, the first of which only counts. Both run without the GIL where
 * the columns are large, so that their bytes may be changed by others meanwhile; therefore the
 * second checks again whatever it reads, and never writes beyond what was counted.
 */
#include "_rows.h"

typedef struct {
    int64_t size, base, max;
} measure;

static const char *check_names(const columns *from)
{
    field name;
    for (Py_ssize_t index = 0; index < from->names.count; index++) {
        const char *refused = read_field(&from->names, index, &name);
        if (refused)
            return refused;
        if (name.size < 0 || !is_utf8(name))
            return BAD_NAME;
    }
    return NULL;
}

static const char *measure_records(columns *from, measure *out)
{
    record one;
    out->size = 0;
    out->base = out->max = timestamp_at(from, 0);
    if (out->base < NO_TIMESTAMP || out->base > TIMESTAMP_MAX)
        return BAD_TIME;
    const char *refused = from->has_headers ? check_names(from) : NULL;
    for (Py_ssize_t index = 0; index < from->count && !refused; index++) {
        if ((refused = read_record(from, index, out->base, &one)))
            break;
        int64_t body = body_size(&one);
        out->size += varint_size(body) + body;
        if (out->size > BLOCK_BYTES_MAX)
            refused = TOO_LARGE;
        out->max = greater(out->max, out->base + one.timestamp_delta);
    }
    return refused;
}

static const char *write_records(columns *from, int64_t base, output *out)
{
    record one;
    for (Py_ssize_t index = 0; index < from->count; index++) {
        const char *refused = read_record(from, index, base, &one);
        if (refused || (refused = check_names_of(&one)))
            return refused;
        put_record(out, &one, body_size(&one));
    }
    return out->at == out->end ? NULL : "the columns were changed while they were encoded";
}

static PyObject *encode_columns(columns *from)
{
    measure measured;
    int64_t bytes = (int64_t)from->count * (int64_t)sizeof(int64_t) + from->values.data.len;
    int is_large = !from->needs_gil && bytes >= BYTES_WITHOUT_GIL_MIN;
    PyThreadState *thread = is_large ? PyEval_SaveThread() : NULL;
    const char *refused = measure_records(from, &measured);
    if (thread)
        PyEval_RestoreThread(thread);
    if (refused)
        return refuse(refused);
    PyObject *encoded = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)measured.size);
    if (encoded == NULL)
        return NULL;
    output out = {(uint8_t *)PyBytes_AsString(encoded), NULL};
    out.end = out.at + measured.size;
    thread = is_large ? PyEval_SaveThread() : NULL;
    refused = write_records(from, measured.base, &out);
    if (thread)
        PyEval_RestoreThread(thread);
    if (refused) {
        Py_DECREF(encoded);
        return refuse(refused);
    }
    return Py_BuildValue("(NnLL)", encoded, from->count, (long long)measured.base,
                         (long long)measured.max);
}

PyDoc_STRVAR(encode_doc,
             "encode(count, values, keys, timestamps, headers)"
             " -> (block, count, base timestamp, max timestamp)\n\n"
             "A column is a list of bytes and None, or (data, ends, valid); headers are None or\n"
             "(ends, names, values); timestamps are one number or int64.");

static PyObject *encode(PyObject *module, PyObject *args)
{
    columns given;
    PyObject *result = NULL;
    (void)module;
    memset(&given, 0, sizeof given);
    if (take_columns(args, &given))
        result = encode_columns(&given);
    drop_columns(&given);
    return result;
}

static PyMethodDef methods[] = {
    {"encode", encode, METH_VARARGS, encode_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_blocks", "Columns made into blocks.", -1, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__blocks(void) { return PyModule_Create(&definition); }
