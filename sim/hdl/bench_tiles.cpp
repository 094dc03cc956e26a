// What mesh_tiles.cpp asks of those around it, in a bench (bench.cpp): nobody notes or traces anything of a tile, and no
// macro asks Python.
#include <cstdint>

#include "strobes.h"

extern "C" {

__thread uint64_t mho_strobes = 0;
__thread bool mho_helper = false;

void mho_answer_helpers() {}
int32_t mho_host_tracing() { return 0; }

}  // extern "C"
