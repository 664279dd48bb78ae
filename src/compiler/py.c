/* SPDX-License-Identifier: MIT */
#include "py.h"

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03080000
#include <Python.h>

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>

/* Every function used, all of them in the stable ABI of 3.8
 * (Doc/data/stable_abi.dat). Reference counts go through Py_DecRef: the macro
 * would compile the layout of one version's objects into this binary. */
#define PY_FUNCTIONS(X)                 \
	X(Py_GetVersion)                \
	X(Py_InitializeEx)              \
	X(Py_CompileString)             \
	X(Py_DecRef)                    \
	X(PyBytes_AsStringAndSize)      \
	X(PyBytes_FromStringAndSize)    \
	X(PyDict_GetItemString)         \
	X(PyDict_New)                   \
	X(PyDict_SetItemString)         \
	X(PyErr_Clear)                  \
	X(PyErr_Print)                  \
	X(PyEval_EvalCode)              \
	X(PyEval_GetBuiltins)           \
	X(PyImport_ImportModule)        \
	X(PyLong_AsUnsignedLong)        \
	X(PyLong_FromUnsignedLong)      \
	X(PyObject_CallFunctionObjArgs) \
	X(PyTuple_GetItem)              \
	X(PyUnicode_DecodeUTF8)

struct py_api {
#define PY_MEMBER(name) __typeof__ (&(name))(name);
	PY_FUNCTIONS(PY_MEMBER)
#undef PY_MEMBER
};

struct py {
	struct py_api api;
	PyObject *compile; /* job() of bootstrap.py or analysis.py */
	PyObject *result;  /* of the last call; owns what it returned */
	uint32_t magic;
	uint32_t hexversion;
	char version[512];
	char cache_tag[64];
	char canary[32];
};

/* src/compiler/bootstrap.py, risks.py and analysis.py, by tools/embed. */
extern const unsigned char px_bootstrap_py[];
extern const unsigned char px_risks_py[];
extern const unsigned char px_analysis_py[];

/* The first directory upwards from libpython that has the standard library of
 * its version in lib or lib64; NULL: there is none. The caller frees it.
 * `in_libpython` is the address of anything in that library. */
static char *home_of(const void *in_libpython, const char *version)
{
	static const char *const places[] = {"lib", "lib64"};
	const int n = (int)strcspn(strchr(version, '.') + 1, ".") + 2;
	char path[PATH_MAX], library[PATH_MAX + 64], *slash;
	Dl_info info;
	size_t i;

	if (dladdr(in_libpython, &info) == 0 || !realpath(info.dli_fname, path))
		return NULL;
	while ((slash = strrchr(path, '/'))) {
		*slash = '\0';
		for (i = 0; i < PX_ARRAY_LEN(places); i++) {
			snprintf(library, sizeof(library),
				 "%s/%s/python%.*s/encodings", path, places[i],
				 n, version);
			if (access(library, X_OK) == 0)
				return strdup(*path ? path : "/");
		}
	}
	return NULL;
}

static const char *file_of(const struct py_options *o)
{
	return o->libpython ? o->libpython : o->interpreter;
}

static int lacks(const struct py_options *o, const char *name,
		 struct px_why *why)
{
	if (!o->libpython)
		return px_because(why, -ELIBACC,
				  "%s has no %s: it is linked without "
				  "-export-dynamic",
				  o->interpreter, name);
	return px_because(why, -ELIBACC,
			  "%s has no %s: not CPython 3.8 or later?",
			  o->libpython, name);
}

static int load(struct py_options *o, struct py *py, struct px_why *why)
{
	/* RTLD_GLOBAL: extension modules such as unicodedata resolve their
	 * Python symbols against the global scope. That of NULL is the program
	 * with all libraries that came with it. */
	void *lib = dlopen(o->libpython, RTLD_NOW | RTLD_GLOBAL);
	void *symbol;
	int *no_site;

	if (!lib)
		return px_because(why, -ELIBACC, "cannot load %s: %s",
				  file_of(o), dlerror());
#define PY_LOAD(name)                        \
	symbol = dlsym(lib, #name);          \
	if (!symbol)                         \
		return lacks(o, #name, why); \
	memcpy(&py->api.name, &symbol, sizeof(symbol));
	PY_FUNCTIONS(PY_LOAD)
#undef PY_LOAD
	if (!o->home)
		o->home = home_of(symbol, py->api.Py_GetVersion());
	/* Deprecated since 3.12, present in all of 3.8-3.13; the isolated
	 * configuration API that replaces it is outside the stable ABI. */
	no_site = dlsym(lib, "Py_NoSiteFlag");
	if (no_site)
		*no_site = 1;
	return 0;
}

/* The whole environment is set here, as variables such as PYTHONPATH decide
 * what code Python runs when it starts. */
static int set_environment(const struct py_options *o)
{
	int r = clearenv();

	r |= setenv("LC_ALL", "C.UTF-8", 1);
	if (o->home)
		r |= setenv("PYTHONHOME", o->home, 1);
	r |= setenv("PYTHONHASHSEED", "0", 1);
	r |= setenv("PYTHONDONTWRITEBYTECODE", "1", 1);
	r |= setenv("PYTHONNOUSERSITE", "1", 1);
	r |= setenv("PYTHONUTF8", "1", 1);
	r |= setenv("PYTHONWARNINGS", "ignore", 1);
	if (o->debug_ranges)
		r |= unsetenv("PYTHONNODEBUGRANGES");
	else
		r |= setenv("PYTHONNODEBUGRANGES", "1", 1);
	return r ? -errno : 0;
}

static int get_text(struct py *py, PyObject *globals, const char *name,
		    char *ret, size_t size)
{
	PyObject *o = py->api.PyDict_GetItemString(globals, name);
	Py_ssize_t n;
	char *data;

	if (!o || py->api.PyBytes_AsStringAndSize(o, &data, &n) != 0 ||
	    (size_t)n >= size)
		return -EIO;
	memcpy(ret, data, (size_t)n + 1);
	return 0;
}

/* Up to 3.10, CPython writes a name differently if it was interned before, and
 * the names in imported modules are. So the bytes are those of compileall only
 * if the same modules are imported. If that fails, the bytes differ, which is
 * no error. */
static void import_compileall(const struct py_api *api)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): load() set it */
	PyObject *module = api->PyImport_ImportModule("compileall");

	api->Py_DecRef(module);
	api->PyErr_Clear();
}

static PyObject *new_globals(const struct py_api *api)
{
	PyObject *globals = api->PyDict_New();

	if (globals && api->PyDict_SetItemString(globals, "__builtins__",
						 api->PyEval_GetBuiltins()))
		return NULL;
	return globals;
}

static int run_text(const struct py_api *api, const unsigned char *text,
		    const char *name, PyObject *globals)
{
	PyObject *code =
		api->Py_CompileString((const char *)text, name, Py_file_input);
	PyObject *done =
		code ? api->PyEval_EvalCode(code, globals, globals) : NULL;

	api->Py_DecRef(code);
	api->Py_DecRef(done);
	return done ? 0 : -EIO;
}

/* Makes finding risks the job, in place of compiling. */
static int load_analysis(struct py *py)
{
	const struct py_api *api = &py->api;
	PyObject *globals = new_globals(api);
	int r = globals ? run_text(api, px_risks_py, "<risks>", globals)
			: -ENOMEM;

	if (r == 0)
		r = run_text(api, px_analysis_py, "<analysis>", globals);
	if (r == 0)
		py->compile = api->PyDict_GetItemString(globals, "job");
	return r == 0 && !py->compile ? -EIO : r;
}

static int run_bootstrap(struct py *py, bool analyse)
{
	struct py_api *api = &py->api;
	PyObject *globals = new_globals(api);
	int r = 0;

	if (!globals)
		return -ENOMEM;
	/* First, as bootstrap.py makes an end of importing. */
	if (analyse)
		r = load_analysis(py);
	if (r == 0)
		r = run_text(api, px_bootstrap_py, "<pycfs>", globals);
	if (r < 0)
		return r;
	if (!analyse)
		py->compile = api->PyDict_GetItemString(globals, "job");
	if (!py->compile ||
	    get_text(py, globals, "version", py->version, sizeof(py->version)) <
		    0 ||
	    get_text(py, globals, "cache_tag", py->cache_tag,
		     sizeof(py->cache_tag)) < 0 ||
	    get_text(py, globals, "canary_text", py->canary,
		     sizeof(py->canary)) < 0)
		return -EIO;
	py->magic = (uint32_t)api->PyLong_AsUnsignedLong(
		api->PyDict_GetItemString(globals, "magic"));
	py->hexversion = (uint32_t)api->PyLong_AsUnsignedLong(
		api->PyDict_GetItemString(globals, "hexversion"));
	/* The reference to `globals`, which owns `compile`, is never dropped.
	 */
	return 0;
}

int px_py_start(struct py_options *o, struct py **ret, struct px_why *why)
{
	PX_AUTOFREE struct py *py = calloc(1, sizeof(*py));
	int r;

	if (!py)
		return px_because(why, -ENOMEM, "out of memory");
	r = load(o, py, why);
	if (r < 0)
		return r;
	r = set_environment(o);
	if (r < 0)
		return px_because(why, r, "cannot set the environment: %s",
				  strerror(-r));
	/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): load() set it */
	py->api.Py_InitializeEx(0);
	if (o->compileall)
		import_compileall(&py->api);
	r = run_bootstrap(py, o->analyse);
	if (r < 0) {
		py->api.PyErr_Print();
		return px_because(why, r,
				  "%s does not start: its standard library is "
				  "incomplete or of another version",
				  file_of(o));
	}
	*ret = PX_STEAL(py);
	return 0;
}

void px_py_describe(const struct py *py, struct px_frame_hello *ret)
{
	*ret = (struct px_frame_hello){
		.protocol = PX_FRAME_PROTOCOL,
		.magic = py->magic,
		.hexversion = py->hexversion,
		.version = {(const uint8_t *)py->version, strlen(py->version)},
		.canary = {(const uint8_t *)py->canary, strlen(py->canary)},
	};
}

const char *px_py_cache_tag(const struct py *py)
{
	return py->cache_tag;
}

static PyObject *call_job(struct py *py, const struct px_frame_compile *t)
{
	const struct py_api *api = &py->api;
	PyObject *args[5], *result = NULL;
	size_t i;

	args[0] = api->PyBytes_FromStringAndSize((const char *)t->source.data,
						 (Py_ssize_t)t->source.size);
	/* Not with PyUnicode_DecodeFSDefault, which depends on a locale that a
	 * small system may lack. */
	args[1] = api->PyUnicode_DecodeUTF8((const char *)t->co_filename.data,
					    (Py_ssize_t)t->co_filename.size,
					    "surrogateescape");
	args[2] = api->PyLong_FromUnsignedLong(t->optimize);
	args[3] = api->PyLong_FromUnsignedLong(t->mode);
	args[4] = api->PyLong_FromUnsignedLong(t->mtime);
	if (args[0] && args[1] && args[2] && args[3] && args[4])
		result = api->PyObject_CallFunctionObjArgs(
			py->compile, args[0], args[1], args[2], args[3],
			args[4], NULL);
	for (i = 0; i < PX_ARRAY_LEN(args); i++)
		api->Py_DecRef(args[i]);
	return result;
}

static uint32_t tuple_number(const struct py *py, PyObject *tuple, int i)
{
	return (uint32_t)py->api.PyLong_AsUnsignedLong(
		py->api.PyTuple_GetItem(tuple, i));
}

int px_py_compile(struct py *py, const struct px_frame_compile *task,
		  struct px_frame_result *ret)
{
	PyObject *result;
	Py_ssize_t n;
	char *data;

	py->api.Py_DecRef(py->result);
	py->result = NULL;
	result = call_job(py, task);
	if (!result || py->api.PyBytes_AsStringAndSize(
			       py->api.PyTuple_GetItem(result, 3), &data, &n)) {
		/* Out of memory: job() catches everything else. */
		py->api.PyErr_Clear();
		py->api.Py_DecRef(result);
		return -ENOMEM;
	}
	py->result = result;
	*ret = (struct px_frame_result){
		.id = task->id,
		.status = (enum px_frame_status)tuple_number(py, result, 0),
		.line = tuple_number(py, result, 1),
		.column = tuple_number(py, result, 2),
		.data = {(const uint8_t *)data, (size_t)n},
	};
	return 0;
}
