/**
 * Layer-wise learning-rate decay: lower layers, which are more general, change less (Howard and Ruder, 2018,
 * arXiv:1801.06146). Exponents are those of timm's param_groups_layer_decay: the head has the learning rate of the
 * schedule, the top layer `decay` times it, each lower layer `decay` times that of the layer above, and so on for the
 * embeddings.
 */
import { layerCount, partOf } from '../model/families.js';

/**
 * The factors of the learning rate by parameter name.
 * @param names of all parameters. Layers that share their parameters, as in ALBERT, count once
 * @param decay factor from one layer to the next lower one; at most 1
 */
export function learningRateFactors(names: Iterable<string>, decay: number): Map<string, number> {
  const all = [...names];
  const layers = layerCount(all);
  const exponentOf = (name: string) => {
    const part = partOf(name);
    if (typeof part === 'number') return layers - part;
    return part === 'embeddings' ? layers + 1 : 0;
  };
  return new Map(all.map((name) => [name, decay ** exponentOf(name)]));
}
