// Python in a simulator that somebody else builds, without its headers: the models behind the pins of its macros. Before this stand the
// definitions of MHO_PYTHON (its library), MHO_PYTHON_HOME, MHO_PYTHON_PATH and MHO_CALL (sim/build/embedded.py).
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace {

template <typename F>
F function(const char* name) {
    static void* const library = dlopen(MHO_PYTHON, RTLD_NOW | RTLD_GLOBAL);
    if (void* const address = library ? dlsym(library, name) : nullptr) return reinterpret_cast<F>(address);
    std::fprintf(stderr, "error: %s must be the library of Python that this simulation was built for: %s\n", MHO_PYTHON, dlerror());
    std::_Exit(1);
}

void run(const char* code) {
    const int state = function<int (*)()>("PyGILState_Ensure")();
    if (function<int (*)(const char*)>("PyRun_SimpleString")(code) != 0) std::_Exit(1);
    function<void (*)(int)>("PyGILState_Release")(state);
}

}  // namespace

extern "C" void mho_models_start() {
    setenv("PYTHONHOME", MHO_PYTHON_HOME, 1);
    setenv("PYTHONPATH", MHO_PYTHON_PATH, 1);
    function<void (*)(int)>("Py_InitializeEx")(0);
    // Callbacks take the lock themselves, in whatever thread.
    function<void* (*)()>("PyEval_SaveThread")();
    run(MHO_CALL);
    std::atexit([] { run("from mho.sim.embedded import report\nreport()\n"); });
}
