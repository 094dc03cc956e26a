// The cells behind the programming pins of tnsa_macro.sv: pulses and verify reads of macro_models.pulses.PulseArray, in the
// same doubles and in the same order of operations (built without contraction), on the arrays of its own that Python lends.
// Draws come from Python, for a whole row of cells at a time; so does the wait between two passes.
#include <cmath>
#include <cstdint>
#include <vector>

namespace {

constexpr int kLines = 256;
constexpr double kNormalOne = 4096.0;  // one standard deviation in the integers of a draw
enum Kind : int32_t { kSet = 0, kReset = 1, kForm = 2 };
enum Draw : int32_t { kPulseDraw = 0, kVerifyDraw = 1 };

}  // namespace

extern "C" {

// The array and its law. Mirrored by sim/cell_shim.py, which owns what the pointers point to.
struct Cells {
    double *g_uS, *left_uS;
    const double *threshold_V, *high_uS, *formed_uS, *log_weak;  // threshold_V: three rows
    const double* moved;                                         // the table over ln a
    uint8_t* formed;
    const uint8_t* stuck;
    int64_t *pulse_count, *verify_count, *waits;
    double v_base_V, v_step_V, g_low_uS, cycle_spread, verify_sigma_uS, verify_step_uS;
    double log_rate[3], slope_V[3], log_width[3];
    int64_t width[3];                                            // what a pulse of each kind must last at the pins
    int32_t lines, verify_top, table_steps, table_low, table_high;
};

// Fills `draws` with eight draws for each cell of a row; 0, or anything else if it failed.
using FetchDraws = int32_t (*)(int32_t draw, int32_t row, int64_t block, int16_t* draws);
// The wait before a pass; 0, or anything else if it failed.
using Relax = int32_t (*)(int32_t write_pass);

// One pulse, as it was at the pins. Mirrored by sim/cell_shim.py.
struct Pulse {
    uint32_t write_pass, row, col, kind, amplitude, width;
};

}  // extern "C"

namespace {

Cells cells{};
bool lent = false;
FetchDraws fetch_draws = nullptr;
Relax relax = nullptr;
const char* cell_failure = nullptr;
std::vector<Pulse> pulse_log;
Pulse pulse{};
int pulse_cell = -1;
int drawn_row = -1;
std::vector<std::vector<int16_t>> drawn[2];  // by block, for the cells of drawn_row

void refuse(const char* why) {
    if (!cell_failure) cell_failure = why;
}

// The one line that is selected, or -1.
int selected(const uint32_t* lines) {
    int line = -1;
    for (int w = 0; 32 * w < cells.lines; w++) {
        if (!lines[w]) continue;
        if (line >= 0 || lines[w] & (lines[w] - 1)) return -1;
        line = 32 * w + __builtin_ctz(lines[w]);
    }
    return line;
}

int selected_cell(const uint32_t* wl, const uint32_t* bl, const uint32_t* sl) {
    const int row = selected(wl), col = selected(sl);
    if (!lent || row < 0 || col < 0 || selected(bl) != row) {
        refuse(lent ? "write-verify must select one cell" : "no cells are there to be programmed");
        return -1;
    }
    return row * cells.lines + col;
}

double normal(Draw draw, int cell, int64_t number) {
    const int row = cell / cells.lines;
    if (row != drawn_row) {
        drawn[0].clear();
        drawn[1].clear();
        drawn_row = row;
    }
    const std::size_t block = number >> 3;
    auto& blocks = drawn[draw];
    if (blocks.size() <= block) blocks.resize(block + 1);
    auto& values = blocks[block];
    if (values.empty()) {
        values.resize(8 * cells.lines);
        if (fetch_draws(draw, row, int64_t(block), values.data()) != 0) refuse("the draws of the cells failed");
    }
    return values[8 * (cell - row * cells.lines) + (number & 7)] / kNormalOne;
}

void apply(int cell, int kind, int amplitude) {
    const double z = normal(kPulseDraw, cell, ++cells.pulse_count[cell]);
    const double volts = cells.v_base_V + amplitude * cells.v_step_V;
    const double over = volts - cells.threshold_V[kind * cells.lines * cells.lines + cell];
    const double exponent = cells.log_rate[kind] + cells.log_width[kind] + over / cells.slope_V[kind] +
                            cells.cycle_spread * z + cells.log_weak[cell];
    const double g = cells.g_uS[cell];
    double after = g;
    if (over >= 0.0 && !cells.stuck[cell]) {
        if (kind == kForm) {
            if (!cells.formed[cell]) after = cells.formed_uS[cell];
            cells.formed[cell] = 1;
        } else if (cells.formed[cell]) {
            const double low = cells.table_low, high = cells.table_high;
            const double at = std::fmin(std::fmax(std::nearbyint(exponent * cells.table_steps), low), high);
            const double end = kind == kSet ? std::fmax(cells.high_uS[cell], g) : std::fmin(cells.g_low_uS, g);
            after = g + (end - g) * cells.moved[int(at) - cells.table_low];
        }
    }
    cells.g_uS[cell] = cells.left_uS[cell] = after;
    cells.waits[cell] = 0;
}

}  // namespace

extern "C" {

// ---- called from tnsa_macro.sv ------------------------------------------------------------------------------------

void mho_pulse_begin(int kind, int amplitude, int write_pass, const uint32_t* wl, const uint32_t* bl, const uint32_t* sl) {
    pulse_cell = selected_cell(wl, bl, sl);
    if (pulse_cell < 0) return;
    pulse = {uint32_t(write_pass), uint32_t(pulse_cell / cells.lines), uint32_t(pulse_cell % cells.lines), uint32_t(kind),
             uint32_t(amplitude), 0};
}

void mho_pulse_end(int amplitude, int width, const uint32_t* wl, const uint32_t* bl, const uint32_t* sl) {
    if (pulse_cell < 0) return;
    if (selected_cell(wl, bl, sl) != pulse_cell || uint32_t(amplitude) != pulse.amplitude)
        refuse("amplitude and lines must not change during a pulse");
    if (width != cells.width[pulse.kind]) refuse("a pulse must be as wide as its register says");
    pulse.width = uint32_t(width);
    pulse_log.push_back(pulse);
    apply(pulse_cell, int(pulse.kind), amplitude);
}

int mho_verify(const uint32_t* wl, const uint32_t* bl, const uint32_t* sl) {
    const int cell = selected_cell(wl, bl, sl);
    if (cell < 0) return 0;
    const double z = normal(kVerifyDraw, cell, ++cells.verify_count[cell]);
    const double code = std::nearbyint((cells.g_uS[cell] + cells.verify_sigma_uS * z) / cells.verify_step_uS);
    return int(std::fmin(std::fmax(code, 0.0), double(cells.verify_top)));
}

void mho_relax(int write_pass) {
    if (!lent || relax(write_pass) != 0) refuse("the wait between two passes failed");
}

void mho_clash() { refuse("no operation may be at the pins while write-verify owns the array"); }

// ---- called from sim/cell_shim.py -------------------------------------------------------------------------------------

void mho_cells_lend(const Cells* lender, FetchDraws draws, Relax wait) {
    cells = *lender;
    lent = cells.lines <= kLines;
    fetch_draws = draws;
    relax = wait;
    cell_failure = nullptr;
    drawn_row = pulse_cell = -1;
    pulse_log.clear();
}

// After a wait the conductances are in another array.
void mho_cells_moved(double* g_uS) { cells.g_uS = g_uS; }
void mho_cells_return() { lent = false; }
const char* mho_cells_failure() { return cell_failure; }
int64_t mho_cells_pulses() { return int64_t(pulse_log.size()); }
const Pulse* mho_cells_log() { return pulse_log.data(); }

}  // extern "C"
