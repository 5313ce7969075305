// Downloads a model in a separate process, for tests that start two processes or kill one.
import { fetchModel } from '#lib/model/fetch-model.js';

await fetchModel(process.argv[2]!);
