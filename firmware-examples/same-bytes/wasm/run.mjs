// Runs the module that is named, and prints what each trace comes to: name, hash and bytes.
import { readFileSync } from "node:fs";

const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]));
const { hash, bytes } = instance.exports;
for (const [number, name] of ["plain", "gzip"].entries()) {
  const hex = BigInt.asUintN(64, hash(number)).toString(16).padStart(16, "0");
  console.log(`${name} ${hex} ${bytes(number)}`);
}
