.DEFAULT_GOAL := help
.PHONY: help setup
help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14
setup: ## .venv with everything pinned
	@tools/setup-venv
