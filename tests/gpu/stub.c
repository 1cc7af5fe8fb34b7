/* An NVML that says what a test told it to say. It proves how nissa reads an NVML, not how
 * NVIDIA's behaves. Types and numbers are those of NVIDIA's header; what is left out a driver may
 * leave out as well. Not thread-safe beyond what a test needs: one thread sets while another reads
 * words.
 *
 * -DNO_SHUTDOWN, -DNO_FREE, -DNO_GPM leave symbols out; -DINIT_ONLY leaves all but one out. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUCCESS 0
#define INVALID_ARGUMENT 2
#define NOT_SUPPORTED 3
#define INSUFFICIENT_SIZE 7
#define TIMEOUT 10
#define GPU_IS_LOST 15

#define DEVICES 8
#define MIGS 4
#define FIELDS 300
#define METRICS 100
#define PROCESSES 8

typedef int nvmlReturn_t;
typedef struct device { int index, parent, mig; } *nvmlDevice_t;

/* Calls that can be told to fail or to hang, per device. */
#define CALLS(X)                                                                                   \
    X(Init) X(SystemGetDriverVersion) X(DeviceGetCount) X(DeviceGetHandleByIndex)                  \
    X(DeviceGetUUID) X(DeviceGetName) X(DeviceGetPciInfo) X(DeviceGetUtilizationRates)             \
    X(DeviceGetMemoryInfo) X(DeviceGetPowerUsage) X(DeviceGetEnforcedPowerLimit)                   \
    X(DeviceGetTotalEnergyConsumption) X(DeviceGetTemperature) X(DeviceGetClockInfo)               \
    X(DeviceGetCurrentClocksThrottleReasons) X(DeviceGetViolationStatus) X(DeviceGetFieldValues)   \
    X(GpmQueryDeviceSupport) X(GpmSampleGet) X(GpmMetricsGet) X(EventSetCreate)                    \
    X(DeviceRegisterEvents) X(EventSetWait) X(DeviceGetTotalEccErrors)                             \
    X(DeviceGetPcieReplayCounter) X(DeviceGetCurrPcieLinkGeneration)                               \
    X(DeviceGetCurrPcieLinkWidth) X(DeviceGetNumFans) X(DeviceGetFanSpeed)                         \
    X(DeviceGetEncoderUtilization) X(DeviceGetDecoderUtilization) X(DeviceGetPerformanceState)     \
    X(DeviceGetComputeRunningProcesses) X(DeviceGetMigMode) X(DeviceGetMaxMigDeviceCount)          \
    X(DeviceGetMigDeviceHandleByIndex) X(DeviceGetPcieThroughput)

/* Numbers a device tells, in NVML's units. */
#define VALUES(X)                                                                                  \
    X(lost) X(gpu) X(memory) X(total) X(reserved) X(free) X(used) X(power) X(limit) X(energy)      \
    X(temperature) X(sm_clock) X(memory_clock) X(throttle) X(violation_power)                      \
    X(violation_thermal) X(violation_sync_boost) X(violation_board_limit)                          \
    X(violation_low_utilization) X(violation_reliability) X(gpm) X(ecc_corrected)                  \
    X(ecc_uncorrected) X(replay) X(link_generation) X(link_width) X(fans) X(fan0) X(fan1)          \
    X(encoder) X(decoder) X(state) X(mig) X(migs) X(pcie_tx) X(pcie_rx)

#define ID(name) C_##name,
#define NAME(name) #name,
enum { CALLS(ID) CALL_COUNT };
static const char *call_names[] = {CALLS(NAME)};
#undef ID
#define ID(name) V_##name,
enum { VALUES(ID) VALUE_COUNT };
static const char *value_names[] = {VALUES(NAME)};

static struct device devices[DEVICES], migs[DEVICES][MIGS];
static volatile int count = 1, hidden[DEVICES];
static volatile int errors[CALL_COUNT][DEVICES], hangs[CALL_COUNT][DEVICES];
static volatile unsigned long long calls[CALL_COUNT][DEVICES];
static volatile unsigned long long values[VALUE_COUNT][DEVICES];
static volatile int field_types[FIELDS][DEVICES], field_errors[FIELDS][DEVICES];
static volatile unsigned long long field_values[FIELDS][DEVICES];
static volatile int metric_errors[METRICS][DEVICES];
static volatile double metric_values[METRICS][DEVICES];
static volatile unsigned pids[PROCESSES][DEVICES];
static volatile unsigned long long memory[PROCESSES][DEVICES];
static volatile unsigned long long xids[16];
static volatile int xid_devices[16], xid_first, xid_last;
static volatile int samples, sets, inits, shutdowns;
static char driver[80] = "570.86.16";

__attribute__((constructor)) static void start(void) {
    for (int d = 0; d < DEVICES; d++) {
        devices[d] = (struct device){d, d, -1};
        for (int m = 0; m < MIGS; m++) migs[d][m] = (struct device){d, d, m};
        for (int f = 0; f < FIELDS; f++) field_errors[f][d] = NOT_SUPPORTED;
        for (int m = 0; m < METRICS; m++) metric_errors[m][d] = NOT_SUPPORTED;
    }
}

static int find(const char **names, int length, const char *name) {
    for (int i = 0; i < length; i++)
        if (!strcmp(names[i], name)) return i;
    fprintf(stderr, "stub: no such name: %s\n", name);
    abort();
}

/* What the tests call. */
void stub_count(int n) { count = n; }
void stub_hide(int device, int hide) { hidden[device] = hide; }
void stub_driver(const char *text) { strncpy(driver, text, sizeof driver - 1); }
void stub_value(int device, const char *name, unsigned long long value) {
    values[find(value_names, VALUE_COUNT, name)][device] = value;
}
void stub_error(int device, const char *call, int error) {
    errors[find(call_names, CALL_COUNT, call)][device] = error;
}
void stub_hang(int device, const char *call, int hang) {
    hangs[find(call_names, CALL_COUNT, call)][device] = hang;
}
unsigned long long stub_calls(int device, const char *call) {
    return calls[find(call_names, CALL_COUNT, call)][device];
}
void stub_field(int device, int id, int type, unsigned long long value, int error) {
    field_types[id][device] = type;
    field_values[id][device] = value;
    field_errors[id][device] = error;
}
void stub_metric(int device, int id, double value, int error) {
    metric_values[id][device] = value;
    metric_errors[id][device] = error;
}
void stub_process(int device, int slot, unsigned pid, unsigned long long bytes) {
    memory[slot][device] = bytes;
    pids[slot][device] = pid;
}
void stub_xid(int device, unsigned long long xid) {
    xids[xid_last % 16] = xid;
    xid_devices[xid_last % 16] = device;
    xid_last++;
}
int stub_live(const char *what) {
    return !strcmp(what, "samples") ? samples : !strcmp(what, "sets") ? sets
         : !strcmp(what, "inits") ? inits : shutdowns;
}

__attribute__((unused)) static nvmlReturn_t enter(int call, int device) {
    calls[call][device]++;
    while (hangs[call][device]) usleep(1000);
    return values[V_lost][device] ? GPU_IS_LOST : errors[call][device];
}
#define ENTER(call, device)                                                                        \
    do {                                                                                           \
        nvmlReturn_t code = enter(C_##call, device);                                               \
        if (code) return code;                                                                     \
    } while (0)

nvmlReturn_t nvmlInit_v2(void) {
    nvmlReturn_t code = errors[C_Init][0];
    calls[C_Init][0]++;
    while (hangs[C_Init][0]) usleep(1000);
    if (!code) inits++;
    return code;
}

#ifndef INIT_ONLY

#ifndef NO_SHUTDOWN
nvmlReturn_t nvmlShutdown(void) {
    shutdowns++;
    return SUCCESS;
}
#endif

nvmlReturn_t nvmlSystemGetDriverVersion(char *text, unsigned length) {
    snprintf(text, length, "%s", driver);
    return errors[C_SystemGetDriverVersion][0];
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *n) {
    calls[C_DeviceGetCount][0]++;
    while (hangs[C_DeviceGetCount][0]) usleep(1000);
    *n = count;
    return errors[C_DeviceGetCount][0];
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
    if (index >= (unsigned)count || index >= DEVICES) return INVALID_ARGUMENT;
    ENTER(DeviceGetHandleByIndex, index);
    if (hidden[index]) return GPU_IS_LOST;
    *device = &devices[index];
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t d, char *text, unsigned length) {
    ENTER(DeviceGetUUID, d->index);
    if (d->mig >= 0)
        snprintf(text, length, "MIG-GPU-0000000%d-stub/%d/0", d->index, d->mig + 7);
    else
        snprintf(text, length, "GPU-0000000%d-stub", d->index);
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t d, char *text, unsigned length) {
    ENTER(DeviceGetName, d->index);
    snprintf(text, length, d->mig >= 0 ? "NVIDIA Stub MIG 1g.10gb" : "NVIDIA Stub");
    return SUCCESS;
}

struct pci {
    char legacy[16];
    unsigned domain, bus, device, id, subsystem;
    char text[32];
};

nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t d, struct pci *pci) {
    ENTER(DeviceGetPciInfo, d->index);
    memset(pci, 0, sizeof *pci);
    pci->bus = 0x1b + d->index;
    snprintf(pci->text, sizeof pci->text, "00000000:%02X:00.0", pci->bus);
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t d, unsigned *rates) {
    ENTER(DeviceGetUtilizationRates, d->index);
    rates[0] = values[V_gpu][d->index];
    rates[1] = values[V_memory][d->index];
    return SUCCESS;
}

struct memory2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t d, struct memory2 *m) {
    ENTER(DeviceGetMemoryInfo, d->index);
    if (m->version != (sizeof *m | 2u << 24)) return INVALID_ARGUMENT;
    int share = d->mig >= 0 ? 4 : 1;
    m->total = values[V_total][d->index] / share;
    m->reserved = values[V_reserved][d->index] / share;
    m->free = values[V_free][d->index] / share;
    m->used = values[V_used][d->index] / share;
    return SUCCESS;
}

/* Calls that tell one number. */
#define NUMBER(symbol, call, type, value)                                                          \
    nvmlReturn_t symbol(nvmlDevice_t d, type *number) {                                            \
        ENTER(call, d->index);                                                                     \
        *number = values[V_##value][d->index];                                                     \
        return SUCCESS;                                                                            \
    }
NUMBER(nvmlDeviceGetPowerUsage, DeviceGetPowerUsage, unsigned, power)
NUMBER(nvmlDeviceGetEnforcedPowerLimit, DeviceGetEnforcedPowerLimit, unsigned, limit)
NUMBER(nvmlDeviceGetTotalEnergyConsumption, DeviceGetTotalEnergyConsumption, unsigned long long,
       energy)
NUMBER(nvmlDeviceGetCurrentClocksThrottleReasons, DeviceGetCurrentClocksThrottleReasons,
       unsigned long long, throttle)
NUMBER(nvmlDeviceGetPcieReplayCounter, DeviceGetPcieReplayCounter, unsigned, replay)
NUMBER(nvmlDeviceGetCurrPcieLinkGeneration, DeviceGetCurrPcieLinkGeneration, unsigned,
       link_generation)
NUMBER(nvmlDeviceGetCurrPcieLinkWidth, DeviceGetCurrPcieLinkWidth, unsigned, link_width)
NUMBER(nvmlDeviceGetNumFans, DeviceGetNumFans, unsigned, fans)
NUMBER(nvmlDeviceGetPerformanceState, DeviceGetPerformanceState, unsigned, state)
NUMBER(nvmlDeviceGetMaxMigDeviceCount, DeviceGetMaxMigDeviceCount, unsigned, migs)

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t d, int sensor, unsigned *degrees) {
    ENTER(DeviceGetTemperature, d->index);
    if (sensor) return INVALID_ARGUMENT;
    *degrees = values[V_temperature][d->index];
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t d, int type, unsigned *mhz) {
    ENTER(DeviceGetClockInfo, d->index);
    *mhz = type == 1 ? values[V_sm_clock][d->index]
         : type == 2 ? values[V_memory_clock][d->index] : 1;
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetViolationStatus(nvmlDevice_t d, unsigned policy,
                                          unsigned long long *time) {
    ENTER(DeviceGetViolationStatus, d->index);
    if (policy > 5) return NOT_SUPPORTED;
    time[0] = 1;
    time[1] = values[V_violation_power + policy][d->index];
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t d, unsigned counter, unsigned *rate) {
    ENTER(DeviceGetPcieThroughput, d->index);
    *rate = values[counter ? V_pcie_rx : V_pcie_tx][d->index];
    return SUCCESS;
}

struct field {
    unsigned id, scope;
    long long timestamp, latency;
    unsigned type;
    nvmlReturn_t code;
    unsigned long long value;
};

nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t d, int n, struct field *fields) {
    ENTER(DeviceGetFieldValues, d->index);
    for (int i = 0; i < n; i++) {
        unsigned id = fields[i].id;
        fields[i].code = id < FIELDS ? field_errors[id][d->index] : INVALID_ARGUMENT;
        if (fields[i].code) continue;
        fields[i].type = field_types[id][d->index];
        fields[i].value = field_values[id][d->index];
    }
    return SUCCESS;
}

#ifndef NO_GPM
struct sample { int device; unsigned long long number; };

nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t d, unsigned *support) {
    ENTER(GpmQueryDeviceSupport, d->index);
    if (support[0] != 1) return INVALID_ARGUMENT;
    support[1] = values[V_gpm][d->index] != 0;
    return SUCCESS;
}

nvmlReturn_t nvmlGpmSampleAlloc(struct sample **sample) {
    *sample = calloc(1, sizeof **sample);
    samples++;
    return SUCCESS;
}

#ifndef NO_FREE
nvmlReturn_t nvmlGpmSampleFree(struct sample *sample) {
    free(sample);
    samples--;
    return SUCCESS;
}
#endif

nvmlReturn_t nvmlGpmSampleGet(nvmlDevice_t d, struct sample *sample) {
    ENTER(GpmSampleGet, d->index);
    if (!values[V_gpm][d->index]) return NOT_SUPPORTED;
    sample->device = d->index;
    sample->number = calls[C_GpmSampleGet][d->index];
    return SUCCESS;
}

struct metric {
    unsigned id;
    nvmlReturn_t code;
    double value;
    const char *short_name, *long_name, *unit;
};

struct metrics {
    unsigned version, n;
    struct sample *first, *second;
    struct metric metrics[210];
};

/* A pair must be of one device, and in the order of time. */
nvmlReturn_t nvmlGpmMetricsGet(struct metrics *m) {
    if (m->version != 1 || m->first->device != m->second->device) return INVALID_ARGUMENT;
    if (m->first->number >= m->second->number) return INVALID_ARGUMENT;
    int d = m->first->device;
    ENTER(GpmMetricsGet, d);
    for (unsigned i = 0; i < m->n; i++) {
        struct metric *metric = &m->metrics[i];
        metric->code = metric->id < METRICS ? metric_errors[metric->id][d] : INVALID_ARGUMENT;
        metric->value = metric_values[metric->id % METRICS][d];
        metric->short_name = "short", metric->long_name = "long name", metric->unit = "unit";
    }
    return SUCCESS;
}
#endif

struct set { int devices[DEVICES]; };

nvmlReturn_t nvmlEventSetCreate(struct set **set) {
    if (errors[C_EventSetCreate][0]) return errors[C_EventSetCreate][0];
    *set = calloc(1, sizeof **set);
    sets++;
    return SUCCESS;
}

#ifndef NO_FREE
nvmlReturn_t nvmlEventSetFree(struct set *set) {
    free(set);
    sets--;
    return SUCCESS;
}
#endif

nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t d, unsigned long long types, struct set *set) {
    ENTER(DeviceRegisterEvents, d->index);
    set->devices[d->index] = types == 8;
    return SUCCESS;
}

struct event {
    nvmlDevice_t device;
    unsigned long long type, data;
    unsigned gi, ci;
};

nvmlReturn_t nvmlEventSetWait_v2(struct set *set, struct event *event, unsigned milliseconds) {
    if (milliseconds) return INVALID_ARGUMENT; /* who waits here holds up a tick */
    int d = xid_devices[xid_first % 16];
    for (int i = 0; i < DEVICES; i++)
        if (set->devices[i] && errors[C_EventSetWait][i]) return errors[C_EventSetWait][i];
    if (xid_first == xid_last || !set->devices[d]) return TIMEOUT;
    *event = (struct event){&devices[d], 8, xids[xid_first % 16], ~0u, ~0u};
    xid_first++;
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t d, unsigned type, unsigned counter,
                                         unsigned long long *errors) {
    ENTER(DeviceGetTotalEccErrors, d->index);
    if (counter) return INVALID_ARGUMENT; /* the volatile ones are meant */
    *errors = values[type ? V_ecc_uncorrected : V_ecc_corrected][d->index];
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetFanSpeed_v2(nvmlDevice_t d, unsigned fan, unsigned *percent) {
    ENTER(DeviceGetFanSpeed, d->index);
    if (fan >= values[V_fans][d->index]) return INVALID_ARGUMENT;
    *percent = values[fan ? V_fan1 : V_fan0][d->index];
    return SUCCESS;
}

#define ENGINE(symbol, call, value)                                                                \
    nvmlReturn_t symbol(nvmlDevice_t d, unsigned *percent, unsigned *period) {                     \
        ENTER(call, d->index);                                                                     \
        *percent = values[V_##value][d->index];                                                    \
        *period = 167000;                                                                          \
        return SUCCESS;                                                                            \
    }
ENGINE(nvmlDeviceGetEncoderUtilization, DeviceGetEncoderUtilization, encoder)
ENGINE(nvmlDeviceGetDecoderUtilization, DeviceGetDecoderUtilization, decoder)

struct process {
    unsigned pid;
    unsigned long long memory;
    unsigned gi, ci;
};

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t d, unsigned *n,
                                                     struct process *processes) {
    ENTER(DeviceGetComputeRunningProcesses, d->index);
    unsigned there = 0, room = *n;
    for (int slot = 0; slot < PROCESSES; slot++) {
        if (!pids[slot][d->index]) continue;
        if (there < room && processes)
            processes[there] = (struct process){pids[slot][d->index], memory[slot][d->index],
                                                ~0u, ~0u};
        there++;
    }
    *n = there;
    return there > room ? INSUFFICIENT_SIZE : SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t d, unsigned *current, unsigned *pending) {
    ENTER(DeviceGetMigMode, d->index);
    *current = *pending = values[V_mig][d->index];
    return SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t d, unsigned index,
                                                 nvmlDevice_t *mig) {
    ENTER(DeviceGetMigDeviceHandleByIndex, d->index);
    if (index >= values[V_mig][d->index] * 2 || index >= MIGS) return 6; /* not found */
    *mig = &migs[d->index][index];
    return SUCCESS;
}

#endif
