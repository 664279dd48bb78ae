// Runs a Python script in Pyodide: node webassembly.mjs PYODIDE DIR SCRIPT
// ARGUMENT... DIR is what it sees of the file system, as /in.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [pyodide, dir, script, ...args] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(pyodide + "/pyodide.mjs"));
const python = await loadPyodide({
  indexURL: pyodide + "/",
  env: { PYTHONNODEBUGRANGES: "1", HOME: "/" },
});
python.mountNodeFS("/in", dir);
python.globals.set("ARGS", python.toPy(args));
try {
  python.runPython(readFileSync(script, "utf8"));
} catch (error) {
  // Uncaught, it would come with a megabyte of Pyodide's own text.
  console.error(error.message);
  process.exit(1);
}
