# run: the server with examples · build: target/release/attune · test: everything, with lint
.PHONY: run build runtime test bench lint clean
.DEFAULT_GOAL := build

run: build
	@.config/run.sh

runtime:
	@.config/prepare.sh
	@python3 runtimes/python/build.py

build: runtime
	@cargo build --release --package attune-cli

test: build
	@.config/prepare.sh test
	@.config/test.sh

bench: build
	@cargo build --release --workspace --examples
	@.config/prepare.sh test
	@.config/python.sh tests -m bench

lint: runtime
	@.config/lint.sh

clean:
	cargo clean
	rm -f runtimes/python.wasm
