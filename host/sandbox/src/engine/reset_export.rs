//! Adds the export `reset-preopens` to a component, which lets libc forget its
//! directory handles.
//!
//! wasi-libc keeps the handles of `/pack` and `/tmp` in its memory. A primed
//! instance got them from the priming context, and would go on using them after
//! its context was replaced. libc.so has a function that makes it ask again; a
//! component toolchain does not export it. It has no parameters and no results,
//! so four appended sections are enough: alias the core function, give it a
//! component type, lift it, export it. Nothing that stands before them changes.

use wasm_encoder::{
    Alias, CanonicalFunctionSection, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentSection, ComponentTypeSection, ComponentValType, ExportKind,
};
use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentOuterAliasKind,
    ExternalKind, Instance, Parser, Payload,
};
use wasmtime::Result;
use wasmtime::error::Context;

/// The name of the export.
pub(crate) const RESET_PREOPENS: &str = "reset-preopens";
const LIBC_FUNCTION: &str = "__wasilibc_reset_preopens";

/// The component with the export.
pub(super) fn add(component: &[u8]) -> Result<Vec<u8>> {
    let layout = Layout::read(component)?;
    let instance = layout.libc_instance.context("no core module exports libc's reset function")?;
    let mut alias = ComponentAliasSection::new();
    let kind = ExportKind::Func;
    alias.alias(Alias::CoreInstanceExport { instance, kind, name: LIBC_FUNCTION });
    let mut function_type = ComponentTypeSection::new();
    function_type.function().params::<_, ComponentValType>([]).result(None);
    let mut lift = CanonicalFunctionSection::new();
    lift.lift(layout.core_functions, layout.types, []);
    let mut export = ComponentExportSection::new();
    export.export(RESET_PREOPENS, ComponentExportKind::Func, layout.functions, None);

    let mut extended = component.to_vec();
    alias.append_to_component(&mut extended);
    function_type.append_to_component(&mut extended);
    lift.append_to_component(&mut extended);
    export.append_to_component(&mut extended);
    Ok(extended)
}

/// How many items of each index space the component has, and where libc is.
#[derive(Default)]
struct Layout {
    modules: u32,
    core_instances: u32,
    core_functions: u32,
    types: u32,
    functions: u32,
    libc_module: Option<u32>,
    libc_instance: Option<u32>,
}

/// What the parser is inside of, below the outermost component.
#[derive(PartialEq)]
enum Nested {
    Module,
    Component,
}

impl Layout {
    fn read(component: &[u8]) -> Result<Layout> {
        let mut layout = Layout::default();
        let mut nesting = Vec::new();
        for payload in Parser::new(0).parse_all(component) {
            let payload = payload?;
            if nesting.is_empty() {
                layout.count(&payload)?;
            } else if nesting == [Nested::Module] {
                layout.look_for_libc(&payload)?;
            }
            match payload {
                Payload::ModuleSection { .. } => nesting.push(Nested::Module),
                Payload::ComponentSection { .. } => nesting.push(Nested::Component),
                Payload::End(_) => drop(nesting.pop()),
                _ => {}
            }
        }
        Ok(layout)
    }

    fn look_for_libc(&mut self, payload: &Payload<'_>) -> Result<()> {
        if let Payload::ExportSection(exports) = payload {
            for export in exports.clone() {
                if export?.name == LIBC_FUNCTION && self.libc_module.is_none() {
                    self.libc_module = self.modules.checked_sub(1);
                }
            }
        }
        Ok(())
    }

    /// Counts what a section of the outermost component defines.
    fn count(&mut self, payload: &Payload<'_>) -> Result<()> {
        match payload {
            Payload::ModuleSection { .. } => self.modules += 1,
            Payload::InstanceSection(section) => {
                for instance in section.clone() {
                    self.count_core_instance(&instance?);
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section.clone() {
                    self.count_alias(&alias?);
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section.clone() {
                    match function? {
                        CanonicalFunction::Lift { .. } => self.functions += 1,
                        _ => self.core_functions += 1,
                    }
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    self.count_external(import?.ty.kind());
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    self.count_external(export?.kind);
                }
            }
            Payload::ComponentTypeSection(section) => self.types += section.count(),
            _ => {}
        }
        Ok(())
    }

    fn count_core_instance(&mut self, instance: &Instance<'_>) {
        if let Instance::Instantiate { module_index, .. } = instance
            && Some(*module_index) == self.libc_module
        {
            self.libc_instance = Some(self.core_instances);
        }
        self.core_instances += 1;
    }

    fn count_alias(&mut self, alias: &ComponentAlias<'_>) {
        match alias {
            ComponentAlias::CoreInstanceExport { kind: ExternalKind::Func, .. } => {
                self.core_functions += 1;
            }
            ComponentAlias::InstanceExport { kind, .. } => self.count_external(*kind),
            ComponentAlias::Outer { kind: ComponentOuterAliasKind::Type, .. } => self.types += 1,
            _ => {}
        }
    }

    fn count_external(&mut self, kind: ComponentExternalKind) {
        match kind {
            ComponentExternalKind::Func => self.functions += 1,
            ComponentExternalKind::Type => self.types += 1,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_without_libc_is_refused() {
        let empty = wasm_encoder::Component::new().finish();
        assert!(add(&empty).unwrap_err().to_string().contains("libc"));
    }
}
