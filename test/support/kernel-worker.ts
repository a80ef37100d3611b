import { KernelHarness } from "./kernel-harness.ts";

// A thread that collects until it is ended by force.
new KernelHarness().start();
postMessage("started");
setInterval(() => {}, 1000);
