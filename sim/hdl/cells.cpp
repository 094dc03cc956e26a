// The cells behind the programming pins of each tnsa_macro.sv: pulses and verify reads of
// mho.macro_models.cells.pulses.PulseArray in the integers of mho.macro_models.integer.pulse, on its arrays, which Python lends.
// Draws come from Python, for a whole row of cells at a time; so does the wait between two passes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr int kLines = 256;
enum Kind : int32_t { kSet = 0, kReset = 1, kForm = 2 };
enum Draw : int32_t { kPulseDraw = 0, kVerifyDraw = 1 };

}  // namespace

extern "C" {

// The array and its law; widths of fractions are those of mho.macro_models.integer.pulse. Mirrored by sim/programming/shim.py, which
// owns what the pointers point to. log_rate: of what a cell does in pulses as wide as those of a kind. biased: no transistors.
struct Cells {
    int64_t *g, *left;
    const int64_t *threshold, *high, *formed_g;  // threshold: three rows
    uint8_t* formed;
    const uint8_t *stuck, *weak;
    int64_t *pulse_count, *verify_count, *waits, *disturbed;
    const int64_t* moved;  // the table over ln a
    int64_t log_rate[3][3], slope[3], spread, log_weak, low, verify_sigma;
    int64_t width[3];      // what a pulse of each kind must last at the pins
    int32_t biased, columns, cells, verify_top, verify_shift, scale_bits, threshold_bits, draw_bits, rate_bits, moved_bits, table_low, table_high;
};

// Fills `draws` with eight draws for each cell of a row; 0, or anything else if it failed.
using FetchDraws = int32_t (*)(int32_t macro, int32_t draw, int32_t row, int64_t block, int16_t* draws);
// The wait before a pass; 0, or anything else if it failed.
using Relax = int32_t (*)(int32_t macro, int32_t write_pass);
// What a verify read of a cell finds between its lines while all others float; below 0 if it failed.
using Sneak = int64_t (*)(int32_t macro, int32_t cell);

// One pulse, as it was at the pins. Mirrored by sim/programming/shim.py.
struct Pulse {
    uint32_t write_pass, row, col, kind, amplitude, width;
};

}  // extern "C"

namespace {

FetchDraws fetch_draws = nullptr;
Relax relax = nullptr;
Sneak sneak = nullptr;

// The cells of one macro, while an array is lent to it.
struct Array {
    std::string path;
    int index = 0;
    Cells cells{};
    bool lent = false;
    const char* failure = nullptr;
    std::vector<Pulse> pulse_log;
    Pulse pulse{};
    int pulse_cell = -1;
    int64_t bias[2];  // of rows and columns that are not selected
    bool floating = false;  // they float at a verify read
    int drawn_row = -1;
    std::map<int, std::vector<std::vector<int16_t>>> drawn[2];  // by row and block; without bias, of drawn_row alone

    void refuse(const char* why) {
        if (!failure) failure = why;
    }
    int selected(const uint32_t* lines) const;
    int selected_cell(const uint32_t* wl, const uint32_t* bl, const uint32_t* sl);
    int64_t normal(Draw draw, int cell, int64_t number);
    int64_t table_step(int cell, int kind, int width_of, int64_t over, int64_t z) const;
    void apply(int cell, int kind, int width_of, int64_t amplitude);
    void disturb();
};

std::vector<std::unique_ptr<Array>> arrays;

// The one line that is selected, or -1.
int Array::selected(const uint32_t* lines) const {
    int line = -1;
    for (int w = 0; 32 * w < kLines; w++) {
        if (!lines[w]) continue;
        if (line >= 0 || lines[w] & (lines[w] - 1)) return -1;
        line = 32 * w + __builtin_ctz(lines[w]);
    }
    return line;
}

int Array::selected_cell(const uint32_t* wl, const uint32_t* bl, const uint32_t* sl) {
    const int row = selected(wl), col = selected(sl);
    if (!lent || row < 0 || col < 0 || selected(bl) != row) {
        refuse(lent ? "write-verify must select one cell" : "no cells are there to be programmed");
        return -1;
    }
    return row * cells.columns + col;
}

int64_t Array::normal(Draw draw, int cell, int64_t number) {
    const int row = cell / cells.columns;
    if (row != drawn_row && !cells.biased) {
        drawn[0].clear();
        drawn[1].clear();
        drawn_row = row;
    }
    const std::size_t block = number >> 3;
    auto& blocks = drawn[draw][row];
    if (blocks.size() <= block) blocks.resize(block + 1);
    auto& values = blocks[block];
    if (values.empty()) {
        values.resize(8 * cells.columns);
        if (fetch_draws(index, draw, row, int64_t(block), values.data()) != 0) refuse("the draws of the cells failed");
    }
    return values[8 * (cell - row * cells.columns) + (number & 7)];
}

// x / 2**bits to the nearest integer, ties upwards.
int64_t rounded(int64_t x, int bits) { return (x + (int64_t{1} << (bits - 1))) >> bits; }

// Index into the table of a pulse `over` the threshold.
int64_t Array::table_step(int cell, int kind, int width_of, int64_t over, int64_t z) const {
    const int64_t log = cells.log_rate[width_of][kind] + (over * cells.slope[kind] >> cells.threshold_bits) +
                        (z * cells.spread >> cells.draw_bits) + (cells.weak[cell] ? cells.log_weak : 0);
    const int64_t low = cells.table_low, high = cells.table_high;
    return std::clamp(rounded(log, cells.rate_bits), low, high) - low;
}

// What a cell does that sees a pulse of a kind, as wide as those of the kind `width_of`.
void Array::apply(int cell, int kind, int width_of, int64_t amplitude) {
    const int64_t z = normal(kPulseDraw, cell, ++cells.pulse_count[cell]);
    const int64_t over = (amplitude << cells.threshold_bits) - cells.threshold[kind * cells.cells + cell];
    const int64_t g = cells.g[cell];
    int64_t after = g;
    if (over >= 0 && !cells.stuck[cell]) {
        if (kind == kForm) {
            if (!cells.formed[cell]) after = cells.formed_g[cell];
            cells.formed[cell] = 1;
        } else if (cells.formed[cell]) {
            const int64_t end = kind == kSet ? std::max(cells.high[cell], g) : std::min(cells.low, g);
            after = g + rounded((end - g) * cells.moved[table_step(cell, kind, width_of, over, z)], cells.moved_bits);
        }
    }
    cells.g[cell] = cells.left[cell] = after;
    cells.waits[cell] = 0;
}

// Cells without transistors see what is between their lines, and answer if it reaches their thresholds.
void Array::disturb() {
    const int64_t amplitude = pulse.amplitude, row_V = pulse.kind == kReset ? 0 : amplitude, column_V = amplitude - row_V;
    for (int cell = 0; cell < cells.cells; cell++) {
        const bool in_row = cell / cells.columns == int(pulse.row), in_column = cell % cells.columns == int(pulse.col);
        const int64_t seen = (in_row ? row_V : bias[0]) - (in_column ? column_V : bias[1]);
        const int kind = seen < 0 ? kReset : pulse.kind == kForm && !cells.formed[cell] ? kForm : kSet;
        if ((in_row && in_column) || !seen || cells.stuck[cell] || (kind != kForm && !cells.formed[cell])) continue;
        if (cells.threshold[kind * cells.cells + cell] > std::abs(seen) << cells.threshold_bits) continue;
        const int64_t before = cells.g[cell];
        apply(cell, kind, int(pulse.kind), std::abs(seen));
        cells.disturbed[cell] += cells.g[cell] != before;
    }
}

}  // namespace

extern "C" {

// ---- called from tnsa_macro.sv ------------------------------------------------------------------------------------

void* mho_cells_create(const char* path) {
    arrays.push_back(std::make_unique<Array>());
    arrays.back()->path = path;
    arrays.back()->index = int(arrays.size()) - 1;
    return arrays.back().get();
}

void mho_pulse_begin(void* handle, int kind, int amplitude, int write_pass, const uint32_t* wl, const uint32_t* bl,
                     const uint32_t* sl) {
    Array& a = *static_cast<Array*>(handle);
    a.pulse_cell = a.selected_cell(wl, bl, sl);
    if (a.pulse_cell < 0) return;
    const int columns = a.cells.columns;
    a.pulse = {uint32_t(write_pass), uint32_t(a.pulse_cell / columns), uint32_t(a.pulse_cell % columns), uint32_t(kind),
               uint32_t(amplitude), 0};
}

void mho_pulse_end(void* handle, int amplitude, int width, const uint32_t* wl, const uint32_t* bl, const uint32_t* sl) {
    Array& a = *static_cast<Array*>(handle);
    if (a.pulse_cell < 0) return;
    if (a.selected_cell(wl, bl, sl) != a.pulse_cell || uint32_t(amplitude) != a.pulse.amplitude)
        a.refuse("amplitude and lines must not change during a pulse");
    if (width != a.cells.width[a.pulse.kind]) a.refuse("a pulse must be as wide as its register says");
    a.pulse.width = uint32_t(width);
    a.pulse_log.push_back(a.pulse);
    a.apply(a.pulse_cell, int(a.pulse.kind), int(a.pulse.kind), amplitude);
    if (a.cells.biased) a.disturb();
}

// Of cells without transistors: in each cycle of a pulse, `first` in its first, and at its end before mho_pulse_end.
void mho_pulse_bias(void* handle, int first, int rows, int columns) {
    Array& a = *static_cast<Array*>(handle);
    if (!first && (a.bias[0] != rows || a.bias[1] != columns)) a.refuse("the bias of lines must not change during a pulse");
    a.bias[0] = rows;
    a.bias[1] = columns;
}

// Before a verify read whose other lines may float.
void mho_float_lines(void* handle, int floating) { static_cast<Array*>(handle)->floating = floating != 0; }

int mho_verify(void* handle, const uint32_t* wl, const uint32_t* bl, const uint32_t* sl) {
    Array& a = *static_cast<Array*>(handle);
    const Cells& cells = a.cells;
    const int cell = a.selected_cell(wl, bl, sl);
    if (cell < 0) return 0;
    const int64_t z = a.normal(kVerifyDraw, cell, ++cells.verify_count[cell]);
    const int64_t noise = z * cells.verify_sigma >> cells.verify_shift, top = cells.verify_top;
    const int64_t g = a.floating ? sneak(a.index, cell) : cells.g[cell];
    if (g < 0) a.refuse("the read of a cell whose other lines float failed");
    return int(std::clamp(rounded(g * top + noise, cells.scale_bits), int64_t{0}, top));
}

void mho_relax(void* handle, int write_pass) {
    Array& a = *static_cast<Array*>(handle);
    if (!a.lent || relax(a.index, write_pass) != 0) a.refuse("the wait between two passes failed");
}

void mho_clash(void* handle) {
    static_cast<Array*>(handle)->refuse("no operation may be at the pins while write-verify owns the array");
}

// ---- called from sim/programming/shim.py -------------------------------------------------------------------------------------

int32_t mho_cells_count() { return int32_t(arrays.size()); }
const char* mho_cells_path(int32_t macro) { return arrays.at(macro)->path.c_str(); }

void mho_cells_callbacks(FetchDraws draws, Relax wait, Sneak read) {
    fetch_draws = draws;
    relax = wait;
    sneak = read;
}

void mho_cells_lend(int32_t macro, const Cells* lender) {
    Array& a = *arrays.at(macro);
    a.cells = *lender;
    a.lent = a.cells.cells <= kLines * kLines;
    a.failure = nullptr;
    a.drawn_row = a.pulse_cell = -1;
    a.drawn[0].clear();
    a.drawn[1].clear();
    a.pulse_log.clear();
}

void mho_cells_return(int32_t macro) { arrays.at(macro)->lent = false; }
const char* mho_cells_failure(int32_t macro) { return arrays.at(macro)->failure; }
int64_t mho_cells_pulses(int32_t macro) { return int64_t(arrays.at(macro)->pulse_log.size()); }
const Pulse* mho_cells_log(int32_t macro) { return arrays.at(macro)->pulse_log.data(); }

}  // extern "C"
