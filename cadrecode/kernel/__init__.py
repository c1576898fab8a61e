"""OpenCASCADE at arm's length: any CadQuery text in, named outcomes and files out. Imports no CadQuery itself."""

from cadrecode.kernel.sandbox import Execution, Outcome, Sandbox, shared_sandbox

__all__ = ["Execution", "Outcome", "Sandbox", "shared_sandbox"]
