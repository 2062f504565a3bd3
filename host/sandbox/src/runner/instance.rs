//! One instance of a runtime: made, primed, given to exactly one run.

use std::fs;
use std::path::Path;

use attune_domain::limits::Limits;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, TypedFunc};
use wasmtime::error::Context;
use wasmtime::{Engine, Result, Store};

use super::compiled::{Code, Compiled, Entry};
use crate::engine::RESET_PREOPENS;
use crate::guest::scratch::ScratchDirectory;
use crate::guest::stdio::Stdio;
use crate::guest::{Guest, wasi};

/// A guest gives the thread back after so many ticks of the epoch (1 ms each).
const YIELD_AFTER_TICKS: u64 = 1;
/// Bytes that one call into the host may bring along, such as one write.
const HOST_CALL_BYTES: usize = 32 << 20;

/// A runtime that is ready to be instantiated.
pub(super) struct LoadedRuntime {
    engine: Engine,
    template: InstancePre<Guest>,
    compile: ComponentExportIndex,
    run: ComponentExportIndex,
    prime: ComponentExportIndex,
    reset_preopens: ComponentExportIndex,
}

/// The folders that an instance sees.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) pack: &'a Path,
    pub(super) limits: &'a Limits,
}

/// An instance and what belongs to it.
pub(super) struct Instance {
    pub(super) store: Store<Guest>,
    exports: wasmtime::component::Instance,
    scratch: ScratchDirectory,
    /// Whether it was made before there was a run for it.
    primed: bool,
}

impl LoadedRuntime {
    pub(super) fn new(engine: &Engine, component: &Component) -> Result<LoadedRuntime> {
        let export = |name: &str| {
            let found = component.get_export_index(None, name);
            found.with_context(|| format!("the runtime does not export {name:?}"))
        };
        Ok(LoadedRuntime {
            engine: engine.clone(),
            template: wasi::linker(engine)?.instantiate_pre(component)?,
            compile: export("compile")?,
            run: export("run")?,
            prime: export("prime")?,
            reset_preopens: export(RESET_PREOPENS)?,
        })
    }

    /// A fresh instance with a scratch directory of its own below `scratch`.
    pub(super) async fn instantiate(&self, view: View<'_>, scratch: &Path) -> Result<Instance> {
        let scratch = ScratchDirectory::create(scratch)?;
        let stdio = Stdio::disconnected();
        let guest = Guest::new(view.pack, scratch.path(), view.limits, stdio)?;
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| &mut guest.meter);
        store.set_hostcall_fuel(HOST_CALL_BYTES);
        store.set_fuel(view.limits.fuel)?;
        store.set_epoch_deadline(YIELD_AFTER_TICKS);
        store.epoch_deadline_async_yield_and_update(YIELD_AFTER_TICKS);
        let exports = self.template.instantiate_async(&mut store).await?;
        Ok(Instance { store, exports, scratch, primed: false })
    }

    /// Runs the priming action, and lets the guest forget the folders it saw.
    pub(super) async fn prime(&self, instance: &mut Instance, call: Call<'_>) -> Result<()> {
        self.functions(instance, &self.prime)?.call(&mut instance.store, call).await?;
        let Instance { store, exports, .. } = instance;
        let reset = exports.get_typed_func::<(), ()>(&mut *store, &self.reset_preopens)?;
        reset.call_async(store, ()).await?;
        instance.primed = true;
        Ok(())
    }

    /// What runs an action.
    pub(super) fn run(&self, instance: &mut Instance) -> Result<Functions> {
        self.functions(instance, &self.run)
    }

    fn functions(&self, instance: &mut Instance, run: &ComponentExportIndex) -> Result<Functions> {
        let Instance { store, exports, .. } = instance;
        let compile = exports.get_typed_func(&mut *store, self.compile)?;
        Ok(Functions { compile, run: exports.get_typed_func(store, run)? })
    }
}

/// What a guest is asked to run.
pub(super) struct Call<'a> {
    pub(super) entry: Entry,
    /// JSON (`sdk/contract`).
    pub(super) request: String,
    pub(super) compiled: &'a Compiled,
}

/// The functions of a guest that running an action takes.
pub(super) struct Functions {
    /// From the file of an entry to its code.
    compile: TypedFunc<(String,), (Vec<u8>,)>,
    /// From a request and the entry's code to a response.
    run: TypedFunc<(String, Code), (String,)>,
}

impl Functions {
    /// Runs an action; the response is JSON. Code of a file that is run for the first time
    /// is kept for the next.
    pub(super) async fn call(&self, store: &mut Store<Guest>, call: Call<'_>) -> Result<String> {
        let Call { entry, request, compiled } = call;
        let code = if let Some(code) = compiled.get(&entry) {
            code
        } else {
            let (code,) = self.compile.call_async(&mut *store, (entry.2.clone(),)).await?;
            let code = Code::from(code);
            compiled.keep(entry, &code);
            code
        };
        let (response,) = self.run.call_async(store, (request, code)).await?;
        Ok(response)
    }
}

impl Instance {
    /// Puts a run's folders and limits around a primed instance.
    pub(super) fn rebind(&mut self, view: View<'_>) -> Result<()> {
        self.store.set_fuel(view.limits.fuel)?;
        self.store.data_mut().rebind(view.pack, self.scratch.path(), view.limits)
    }

    pub(super) fn is_primed(&self) -> bool {
        self.primed
    }

    /// Puts a file into the scratch directory, at a path below the guest's `/tmp`.
    pub(super) fn give_file(&mut self, path: &str, content: &[u8]) -> Result<()> {
        let name = Path::new(path).strip_prefix(wasi::SCRATCH)?;
        fs::write(self.scratch.path().join(name), content)?;
        self.store.data_mut().was_given(content.len() as u64);
        Ok(())
    }

    /// Gives back all that the instance held; the directory last, when nothing has a file of it open.
    pub(super) async fn dispose(self) {
        let Instance { store, scratch, .. } = self;
        let used = store.data().scratch_used();
        drop(store);
        if used {
            // Many entries take a while, and other runs need this thread.
            let _removed = tokio::task::spawn_blocking(move || drop(scratch)).await;
        }
    }
}
