/* The compiled twin of survey.py: the same answers, checked by the same tests.
 *
 * Only the stable ABI is used, so that one build serves every Python from 3.11 on. The walk itself
 * touches no Python object and runs without the GIL: several logs can be recovered side by side.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_SIZE = 61, LENGTH_OVERHEAD = 12, CRC_FROM = 21, MAGIC_AT = 16, MAGIC = 2 };

/* Must be those of survey.Stop. */
enum { STOP_CUT = 0, STOP_INVALID = 1 };

/* The columns, in the order of survey.Survey. */
enum { BASES, NEXTS, POSITIONS, MAX_TIMESTAMPS, EPOCHS, PRODUCER_IDS, COLUMNS };


static uint32_t read_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t read_i64(const uint8_t *at)
{
    return (int64_t)((uint64_t)read_u32(at) << 32 | read_u32(at + 4));
}

/* --- CRC-32C, by the processor where it can --- */

static uint32_t crc_table[8][256];

static void fill_crc_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
        crc_table[0][byte] = crc;
    }
    for (int slice = 1; slice < 8; slice++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t before = crc_table[slice - 1][byte];
            crc_table[slice][byte] = before >> 8 ^ crc_table[0][before & 0xff];
        }
}

static uint32_t crc_by_table(const uint8_t *data, size_t size)
{
    uint32_t crc = ~0u;
    for (; size >= 8; data += 8, size -= 8) {
        uint32_t low = crc ^ ((uint32_t)data[3] << 24 | (uint32_t)data[2] << 16 |
                              (uint32_t)data[1] << 8 | data[0]);
        crc = crc_table[7][low & 0xff] ^ crc_table[6][low >> 8 & 0xff] ^
              crc_table[5][low >> 16 & 0xff] ^ crc_table[4][low >> 24] ^
              crc_table[3][data[4]] ^ crc_table[2][data[5]] ^ crc_table[1][data[6]] ^
              crc_table[0][data[7]];
    }
    for (; size; data++, size--)
        crc = crc >> 8 ^ crc_table[0][(crc ^ *data) & 0xff];
    return ~crc;
}

typedef uint32_t (*crc_function)(const uint8_t *, size_t);

#if defined(__x86_64__) && defined(__GNUC__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t crc_by_processor(const uint8_t *data, size_t size)
{
    uint64_t crc = ~0u;
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        crc = _mm_crc32_u64(crc, word);
    }
    for (; size; data++, size--)
        crc = _mm_crc32_u8((uint32_t)crc, *data);
    return ~(uint32_t)crc;
}

static crc_function choose_crc(void)
{
    return __builtin_cpu_supports("sse4.2") ? crc_by_processor : crc_by_table;
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>

static uint32_t crc_by_processor(const uint8_t *data, size_t size)
{
    uint32_t crc = ~0u;
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t word;
        memcpy(&word, data, 8);
        crc = __crc32cd(crc, word);
    }
    for (; size; data++, size--)
        crc = __crc32cb(crc, *data);
    return ~crc;
}

static crc_function choose_crc(void) { return crc_by_processor; }
#else
static crc_function choose_crc(void) { return crc_by_table; }
#endif

static crc_function crc32c;

/* --- walking --- */

typedef struct {
    int64_t *columns[COLUMNS];
    Py_ssize_t count;
    int64_t size;
    int stop;
} survey;

static int is_valid(const uint8_t *batch, int64_t size, int64_t next_offset)
{
    return batch[MAGIC_AT] == MAGIC && read_i64(batch) >= next_offset &&
           (int32_t)read_u32(batch + 23) >= 0 &&
           crc32c(batch + CRC_FROM, (size_t)(size - CRC_FROM)) == read_u32(batch + 17);
}

static void walk(const uint8_t *buffer, int64_t length, int64_t position, int64_t next_offset,
                 survey *found)
{
    int64_t at = 0;
    found->stop = STOP_CUT;
    while (length - at >= HEADER_SIZE) {
        const uint8_t *batch = buffer + at;
        int64_t size = (int64_t)(int32_t)read_u32(batch + 8) + LENGTH_OVERHEAD;
        if (size < HEADER_SIZE) {
            found->stop = STOP_INVALID;
            break;
        }
        if (size > length - at)
            break;
        if (!is_valid(batch, size, next_offset)) {
            found->stop = STOP_INVALID;
            break;
        }
        int64_t base_offset = read_i64(batch);
        next_offset = base_offset + (int32_t)read_u32(batch + 23) + 1;
        Py_ssize_t row = found->count++;
        found->columns[BASES][row] = base_offset;
        found->columns[NEXTS][row] = next_offset;
        found->columns[POSITIONS][row] = position + at;
        found->columns[MAX_TIMESTAMPS][row] = read_i64(batch + 35);
        found->columns[EPOCHS][row] = (int32_t)read_u32(batch + 12);
        found->columns[PRODUCER_IDS][row] = read_i64(batch + 43);
        at += size;
    }
    found->size = at;
}

static PyObject *told(const survey *found)
{
    PyObject *columns = PyTuple_New(COLUMNS);
    if (columns == NULL)
        return NULL;
    for (int column = 0; column < COLUMNS; column++) {
        PyObject *cells = PyBytes_FromStringAndSize((const char *)found->columns[column],
                                                    found->count * (Py_ssize_t)sizeof(int64_t));
        if (cells == NULL || PyTuple_SetItem(columns, column, cells) < 0) {
            Py_DECREF(columns);
            return NULL;
        }
    }
    return Py_BuildValue("(iLN)", found->stop, (long long)found->size, columns);
}

PyDoc_STRVAR(survey_doc, "survey(buffer, position, next_offset) -> (stop, size, columns)\n\n"
                         "Columns are the bytes of int64 arrays, in the order of survey.Survey.");

static PyObject *survey_batches(PyObject *module, PyObject *args)
{
    Py_buffer buffer;
    long long position, next_offset;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*LL", &buffer, &position, &next_offset))
        return NULL;
    survey found = {{NULL}, 0, 0, STOP_CUT};
    size_t rows = (size_t)buffer.len / HEADER_SIZE + 1;
    int64_t *cells = malloc(rows * COLUMNS * sizeof(int64_t));
    PyObject *result;
    if (cells == NULL) {
        result = PyErr_NoMemory();
    } else {
        for (int column = 0; column < COLUMNS; column++)
            found.columns[column] = cells + (size_t)column * rows;
        Py_BEGIN_ALLOW_THREADS
        walk(buffer.buf, buffer.len, position, next_offset, &found);
        Py_END_ALLOW_THREADS
        result = told(&found);
        free(cells);
    }
    PyBuffer_Release(&buffer);
    return result;
}

static PyMethodDef methods[] = {
    {"survey", survey_batches, METH_VARARGS, survey_doc},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "Compiled twins of what is slow in Python.", -1, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void)
{
    fill_crc_table();
    crc32c = choose_crc();
    return PyModule_Create(&definition);
}
