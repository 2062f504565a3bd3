//! The one constructor for engines: compiled code is only loaded by an engine
//! with the very same settings, so there must not be two sets of them.
//!
//! [`image`] keeps compiled code on disk, [`eviction`] bounds it, [`reset_export`] prepares a
//! component before it is compiled.

mod eviction;
pub(crate) mod image;
mod reset_export;

use wasmtime::{
    Config, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, Result,
};

pub(crate) use eviction::evict;
pub(crate) use reset_export::RESET_PREOPENS;

/// The most linear memory one instance can ever get, in bytes; `Limits::memory_bytes` caps below it.
pub(crate) const MAX_MEMORY: usize = 2 << 30;

/// Above the size of any runtime's initial memory (Python: 28 MiB), so that
/// whether it is mapped copy-on-write never hangs on wasmtime's heuristic.
const IMAGE_SIZE: u64 = 256 << 20;

/// What compiled code may use of the native stack. `CPython` counts its own
/// frames and raises `RecursionError` long before it gets here.
const WASM_STACK: usize = 4 << 20;
/// A fiber's stack: the above, and what host functions need. Only touched pages cost memory.
const FIBER_STACK: usize = WASM_STACK + (2 << 20);

/// Core modules, tables and memories of one runtime: componentize-py links 14 modules into one
/// component. The factor leaves room for other toolchains.
const CORE_INSTANCES_EACH: u32 = 60;
const TABLES_EACH: u32 = 10;

/// An engine for so many instances at once.
pub(crate) fn new(instances: u32) -> Result<Engine> {
    let mut config = Config::new();
    config.consume_fuel(true).epoch_interruption(true);
    config.wasm_component_model(true).concurrency_support(false);
    config.cranelift_opt_level(OptLevel::Speed);
    config.memory_init_cow(true).memory_guaranteed_dense_image_size(IMAGE_SIZE);
    config.max_wasm_stack(WASM_STACK).async_stack_size(FIBER_STACK);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
    Engine::new(&config)
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * CORE_INSTANCES_EACH)
        .total_memories(instances)
        .total_tables(instances * TABLES_EACH)
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES_EACH)
        .max_tables_per_component(TABLES_EACH)
        .max_memories_per_component(1)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .table_elements(40_000)
        .max_memory_size(MAX_MEMORY)
        // Resetting a slot by dropping its pages beats copying them back: an
        // action touches about 2 MiB of a 28 MiB image.
        .linear_memory_keep_resident(0)
        .table_keep_resident(0);
    pool
}
