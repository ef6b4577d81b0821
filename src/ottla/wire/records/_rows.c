/* The compiled twin of rows.py: how large rows are, and which partition each goes to. */
#include "_rows.h"

/* Must be that of rows.RECORD_OVERHEAD_BYTES_MAX and of rows.HEADER_OVERHEAD_BYTES_MAX. */
enum { RECORD_OVERHEAD = 36, HEADER_OVERHEAD = 10 };

static int64_t field_bytes(field of) { return of.size > 0 ? of.size : 0; }

static int64_t bound_of(const record *of)
{
    int64_t bound = RECORD_OVERHEAD + field_bytes(of->key) + field_bytes(of->value);
    for (int64_t number = 0; number < of->header_count; number++)
        bound += HEADER_OVERHEAD + field_bytes(of->headers[2 * number]) +
                 field_bytes(of->headers[2 * number + 1]);
    return bound;
}

static int check_range(const columns *of, Py_ssize_t first, Py_ssize_t end)
{
    if (0 <= first && first <= end && end <= of->count)
        return 1;
    refuse(BAD_ROWS);
    return 0;
}

PyDoc_STRVAR(measure_doc,
             "measure(columns, first, end, limit) -> (end, bytes, largest, row of the largest)");

static PyObject *measure(PyObject *module, PyObject *args)
{
    columns given;
    record one;
    PyObject *from, *result = NULL;
    Py_ssize_t first, end, index, widest = 0;
    long long limit, bytes = 0, largest = 0;
    const char *refused = NULL;
    (void)module;
    if (!PyArg_ParseTuple(args, "OnnL", &from, &first, &end, &limit))
        return NULL;
    memset(&given, 0, sizeof given);
    if (take_columns(from, &given) && check_range(&given, first, end)) {
        for (index = first; index < end; index++) {
            if ((refused = read_record(&given, index, 0, &one)) || (refused = check_names_of(&one)))
                break;
            int64_t bound = bound_of(&one);
            if (index > first && bytes + bound > limit)
                break;
            bytes += bound;
            if (bound > largest) {
                largest = bound;
                widest = index;
            }
        }
        result = refused ? refuse(refused)
                         : Py_BuildValue("(nLLn)", index, bytes, largest, widest);
    }
    drop_columns(&given);
    return result;
}

/* --- partitions --- */

static uint32_t murmur2(field key)
{
    const uint32_t mixer = 0x5bd1e995;
    const uint8_t *at = key.data, *end = key.data + (key.size & ~(int64_t)3);
    uint32_t value = 0x9747b28c ^ (uint32_t)key.size;
    for (; at < end; at += 4) {
        uint32_t word = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        word *= mixer;
        word ^= word >> 24;
        value = value * mixer ^ word * mixer;
    }
    int left = (int)(key.size & 3);
    if (left) {
        for (int number = 0; number < left; number++)
            value ^= (uint32_t)at[number] << 8 * number;
        value *= mixer;
    }
    value ^= value >> 13;
    value *= mixer;
    return value ^ value >> 15;
}

typedef struct {
    Py_ssize_t first, end, partitions;
    int32_t keyless;
    int32_t *of_row, *next; /* a partition of each row, a place for each partition's next row */
} placement;

static const char *choose(columns *given, placement *out)
{
    field key = {NULL, -1};
    for (Py_ssize_t index = out->first; index < out->end; index++) {
        const char *refused = given->has_keys ? read_field(&given->keys, index, &key) : NULL;
        if (refused)
            return refused;
        int32_t partition = key.size < 0
                                ? out->keyless
                                : (int32_t)((murmur2(key) & 0x7fffffff) % (uint32_t)out->partitions);
        out->of_row[index - out->first] = partition;
        out->next[partition]++;
    }
    return NULL;
}

/* From counts to the place of each partition's first row; a list of (partition, start, end). */
static PyObject *list_shares(placement *out)
{
    int32_t start = 0;
    PyObject *shares = PyList_New(0);
    for (Py_ssize_t partition = 0; partition < out->partitions && shares; partition++) {
        int32_t count = out->next[partition];
        out->next[partition] = start;
        if (count == 0)
            continue;
        PyObject *share = Py_BuildValue("(nii)", partition, start, start + count);
        if (share == NULL || PyList_Append(shares, share) < 0)
            Py_CLEAR(shares);
        Py_XDECREF(share);
        start += count;
    }
    return shares;
}

static PyObject *place_rows(columns *given, placement *out)
{
    const char *refused = choose(given, out);
    if (refused)
        return refuse(refused);
    PyObject *shares = list_shares(out);
    Py_ssize_t count = out->end - out->first;
    PyObject *rows = PyBytes_FromStringAndSize(NULL, count * (Py_ssize_t)sizeof(int32_t));
    if (shares == NULL || rows == NULL) {
        Py_XDECREF(shares);
        Py_XDECREF(rows);
        return NULL;
    }
    char *sorted = PyBytes_AsString(rows);
    for (Py_ssize_t index = 0; index < count; index++) {
        int32_t row = (int32_t)(out->first + index), place = out->next[out->of_row[index]]++;
        memcpy(sorted + (size_t)place * sizeof row, &row, sizeof row);
    }
    return Py_BuildValue("(NN)", rows, shares);
}

PyDoc_STRVAR(place_doc,
             "place(columns, first, end, partitions, keyless)"
             " -> (int32 rows by partition, [(partition, start, end)])");

static PyObject *place(PyObject *module, PyObject *args)
{
    columns given;
    placement out;
    PyObject *from, *result = NULL;
    (void)module;
    memset(&out, 0, sizeof out);
    if (!PyArg_ParseTuple(args, "Onnni", &from, &out.first, &out.end, &out.partitions,
                          &out.keyless))
        return NULL;
    memset(&given, 0, sizeof given);
    int is_taken = take_columns(from, &given) && check_range(&given, out.first, out.end);
    if (is_taken && (out.partitions < 1 || out.partitions > INT32_MAX || out.keyless < 0 ||
                     out.keyless >= out.partitions || out.end > INT32_MAX))
        refuse("a partition that is not there, or too many rows");
    else if (is_taken) {
        out.of_row = malloc((size_t)(out.end - out.first + 1) * sizeof *out.of_row);
        out.next = calloc((size_t)out.partitions, sizeof *out.next);
        result = out.of_row && out.next ? place_rows(&given, &out) : PyErr_NoMemory();
    }
    free(out.of_row);
    free(out.next);
    drop_columns(&given);
    return result;
}

static PyMethodDef methods[] = {
    {"measure", measure, METH_VARARGS, measure_doc},
    {"place", place, METH_VARARGS, place_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_rows", "Rows of columns: their sizes and partitions.", -1, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__rows(void) { return PyModule_Create(&definition); }
