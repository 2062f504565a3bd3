# run: the server with examples · build: target/release/attune · test: everything, with lint
.PHONY: run build test bench lint clean
.DEFAULT_GOAL := build

run: build
	@.config/run.sh

build:
	@.config/prepare.sh
	@python3 runtimes/python/build.py
	@cargo build --release --package attune-cli

test: build
	@.config/test.sh

bench: build
	@cargo build --release --package attune-sandbox --examples
	@.config/python.sh tests -m bench

lint:
	@.config/lint.sh

clean:
	cargo clean
	rm -f runtimes/python.wasm
