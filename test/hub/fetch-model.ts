// Downloads a model in a separate process, for tests that start two processes or kill one.
import { fetchModel } from '#lib/hub/model.js';

await fetchModel(process.argv[2]!);
