// Builds graphs for captured functions (lib/tensorflow/graph.ts), node by node, with TensorFlow's shape inference: the
// shapes of all results are known before anything is computed. An addon for Node. Mistakes of the caller and errors of
// TensorFlow are thrown as JavaScript errors.
#include <node_api.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensorflow/c/c_api.h"

namespace {

void Check(napi_status status) {
  if (status != napi_ok) throw std::runtime_error("An argument of a graph's function has a wrong type.");
}

// The result of a call of TensorFlow.
class Status {
 public:
  ~Status() { TF_DeleteStatus(status_); }
  operator TF_Status*() { return status_; }
  void Check() {
    if (TF_GetCode(status_) != TF_OK) throw std::runtime_error(TF_Message(status_));
  }

 private:
  TF_Status* status_ = TF_NewStatus();
};

template <typename T>
using Owned = std::unique_ptr<T, void (*)(T*)>;

// --- Values of JavaScript --------------------------------------------------------------------------------------------

int64_t Integer(napi_env env, napi_value value) {
  int64_t result;
  Check(napi_get_value_int64(env, value, &result));
  return result;
}

double Number(napi_env env, napi_value value) {
  double result;
  Check(napi_get_value_double(env, value, &result));
  return result;
}

bool Boolean(napi_env env, napi_value value) {
  bool result;
  Check(napi_get_value_bool(env, value, &result));
  return result;
}

std::string Text(napi_env env, napi_value value) {
  size_t length;
  Check(napi_get_value_string_utf8(env, value, nullptr, 0, &length));
  std::string text(length, '\0');
  Check(napi_get_value_string_utf8(env, value, &text[0], length + 1, &length));
  return text;
}

napi_value Property(napi_env env, napi_value object, const char* name) {
  napi_value value;
  Check(napi_get_named_property(env, object, name, &value));
  return value;
}

bool IsArray(napi_env env, napi_value value) {
  bool result;
  Check(napi_is_array(env, value, &result));
  return result;
}

// The elements of an array, each converted by `convert`.
template <typename Convert>
auto Elements(napi_env env, napi_value array, Convert convert) -> std::vector<decltype(convert(env, array))> {
  uint32_t length;
  Check(napi_get_array_length(env, array, &length));
  std::vector<decltype(convert(env, array))> elements;
  for (uint32_t i = 0; i < length; i++) {
    napi_value element;
    Check(napi_get_element(env, array, i, &element));
    elements.push_back(convert(env, element));
  }
  return elements;
}

std::vector<int64_t> Integers(napi_env env, napi_value array) { return Elements(env, array, Integer); }

std::vector<napi_value> Values(napi_env env, napi_value array) {
  return Elements(env, array, [](napi_env, napi_value element) { return element; });
}

napi_value FromInteger(napi_env env, int64_t value) {
  napi_value result;
  Check(napi_create_int64(env, value, &result));
  return result;
}

napi_value FromIntegers(napi_env env, const std::vector<int64_t>& values) {
  napi_value array;
  Check(napi_create_array_with_length(env, values.size(), &array));
  for (size_t i = 0; i < values.size(); i++) Check(napi_set_element(env, array, i, FromInteger(env, values[i])));
  return array;
}

// --- Graphs ----------------------------------------------------------------------------------------------------------

// Ids of tensors are negative and never used twice on a thread, so that no tensor of a graph can be confused with one of
// another graph or with one in memory. Workers of Node are threads with tensors of their own.
thread_local int64_t next_id = -1;

struct Graph {
  Owned<TF_Graph> graph{TF_NewGraph(), TF_DeleteGraph};
  const int64_t first_id = next_id;
  std::vector<TF_Output> tensors;     // By first_id - id.
  std::vector<TF_Operation*> nodes;

  TF_Output Tensor(int64_t id) const {
    const int64_t index = first_id - id;
    if (index < 0 || index >= static_cast<int64_t>(tensors.size()))
      throw std::runtime_error("The graph has no tensor with the id " + std::to_string(id) + ".");
    return tensors[index];
  }
  std::vector<TF_Output> Tensors(napi_env env, napi_value ids) const {
    return Elements(env, ids, [this](napi_env env, napi_value id) { return Tensor(Integer(env, id)); });
  }
  std::vector<TF_Operation*> Nodes(napi_env env, napi_value indices) const {
    return Elements(env, indices, [this](napi_env env, napi_value index) { return nodes.at(Integer(env, index)); });
  }
};

Graph& GraphOf(napi_env env, napi_value value) {
  void* data;
  Check(napi_get_value_external(env, value, &data));
  Graph* graph = static_cast<Graph*>(data);
  if (!graph->graph) throw std::runtime_error("The graph is complete.");
  return *graph;
}

void SetAttribute(napi_env env, TF_OperationDescription* node, napi_value attribute) {
  const std::string text = Text(env, Property(env, attribute, "name"));
  const char* name = text.c_str();
  const napi_value value = Property(env, attribute, "value");
  const bool listed = IsArray(env, value);
  switch (const auto type = static_cast<TF_AttrType>(Integer(env, Property(env, attribute, "type")))) {
    case TF_ATTR_TYPE:
      return TF_SetAttrType(node, name, static_cast<TF_DataType>(Integer(env, value)));
    case TF_ATTR_STRING: {
      const std::string string = Text(env, value);
      return TF_SetAttrString(node, name, string.data(), string.size());
    }
    case TF_ATTR_SHAPE: {
      const auto shape = Integers(env, value);
      return TF_SetAttrShape(node, name, shape.data(), shape.size());
    }
    case TF_ATTR_INT: {
      if (!listed) return TF_SetAttrInt(node, name, Integer(env, value));
      const auto values = Integers(env, value);
      return TF_SetAttrIntList(node, name, values.data(), values.size());
    }
    case TF_ATTR_FLOAT: {
      if (!listed) return TF_SetAttrFloat(node, name, Number(env, value));
      const auto numbers = Elements(env, value, Number);
      const std::vector<float> values(numbers.begin(), numbers.end());
      return TF_SetAttrFloatList(node, name, values.data(), values.size());
    }
    case TF_ATTR_BOOL: {
      if (!listed) return TF_SetAttrBool(node, name, Boolean(env, value));
      const auto booleans = Elements(env, value, Boolean);
      const std::vector<unsigned char> values(booleans.begin(), booleans.end());
      return TF_SetAttrBoolList(node, name, values.data(), values.size());
    }
    default:
      throw std::runtime_error("The attribute " + text + " has the unsupported type " + std::to_string(type) + ".");
  }
}

// The shape of a result; [-1] if nothing is known of it, and -1 for unknown sizes.
std::vector<int64_t> ShapeOf(TF_Graph* graph, TF_Output output) {
  Status status;
  const int count = TF_GraphGetTensorNumDims(graph, output, status);
  status.Check();
  if (count < 0) return {-1};
  std::vector<int64_t> shape(count);
  TF_GraphGetTensorShape(graph, output, shape.data(), count, status);
  status.Check();
  return shape;
}

TF_OperationDescription* NewNode(const Graph& graph, const std::string& kernel) {
  const std::string name = kernel + "_" + std::to_string(graph.nodes.size());
  return TF_NewOperation(graph.graph.get(), kernel.c_str(), name.c_str());
}

// Adds a described node. `shape`, if not null, is the shape of its only result.
// Returns { node, outputs: { id, shape, dtype }[] }.
napi_value FinishNode(napi_env env, Graph& graph, TF_OperationDescription* description,
                      const std::vector<int64_t>* shape) {
  Status status;
  TF_Operation* node = TF_FinishOperation(description, status);
  status.Check();
  if (shape != nullptr) {
    TF_GraphSetTensorShape(graph.graph.get(), {node, 0}, shape->data(), shape->size(), status);
    status.Check();
  }
  napi_value result, outputs;
  const int count = TF_OperationNumOutputs(node);
  Check(napi_create_object(env, &result));
  Check(napi_create_array_with_length(env, count, &outputs));
  for (int i = 0; i < count; i++) {
    const TF_Output output = {node, i};
    napi_value described;
    Check(napi_create_object(env, &described));
    Check(napi_set_named_property(env, described, "id", FromInteger(env, next_id)));
    Check(napi_set_named_property(env, described, "shape", FromIntegers(env, ShapeOf(graph.graph.get(), output))));
    Check(napi_set_named_property(env, described, "dtype", FromInteger(env, TF_OperationOutputType(output))));
    Check(napi_set_element(env, outputs, i, described));
    graph.tensors.push_back(output);
    next_id--;
  }
  Check(napi_set_named_property(env, result, "node", FromInteger(env, graph.nodes.size())));
  Check(napi_set_named_property(env, result, "outputs", outputs));
  graph.nodes.push_back(node);
  return result;
}

// --- Functions of the addon ------------------------------------------------------------------------------------------

using Arguments = std::vector<napi_value>;

napi_value CreateGraph(napi_env env, const Arguments&) {
  napi_value result;
  Check(napi_create_external(
      env, new Graph, [](napi_env, void* graph, void*) { delete static_cast<Graph*>(graph); }, nullptr, &result));
  return result;
}

// (graph, kernel) -> the serialized OpDef of the kernel.
napi_value KernelDefinition(napi_env env, const Arguments& arguments) {
  Status status;
  const Owned<TF_Buffer> definition(TF_NewBuffer(), TF_DeleteBuffer);
  TF_GraphGetOpDef(GraphOf(env, arguments[0]).graph.get(), Text(env, arguments[1]).c_str(), definition.get(), status);
  status.Check();
  napi_value result;
  Check(napi_create_buffer_copy(env, definition->length, definition->data, nullptr, &result));
  return result;
}

// (graph, kernel, attributes, inputs: (id | id[])[], controlInputs: node[], shape?: number[]) -> node
napi_value AddNode(napi_env env, const Arguments& arguments) {
  Graph& graph = GraphOf(env, arguments[0]);
  TF_OperationDescription* node = NewNode(graph, Text(env, arguments[1]));
  for (napi_value input : Values(env, arguments[3])) {
    if (IsArray(env, input)) {
      const auto list = graph.Tensors(env, input);
      TF_AddInputList(node, list.data(), list.size());
    } else {
      TF_AddInput(node, graph.Tensor(Integer(env, input)));
    }
  }
  for (TF_Operation* control : graph.Nodes(env, arguments[4])) TF_AddControlInput(node, control);
  for (napi_value attribute : Values(env, arguments[2])) SetAttribute(env, node, attribute);
  if (!IsArray(env, arguments[5])) return FinishNode(env, graph, node, nullptr);
  const auto shape = Integers(env, arguments[5]);
  return FinishNode(env, graph, node, &shape);
}

// (graph, dtype, shape, values: TypedArray) -> node
napi_value AddConstant(napi_env env, const Arguments& arguments) {
  Graph& graph = GraphOf(env, arguments[0]);
  const auto dtype = static_cast<TF_DataType>(Integer(env, arguments[1]));
  const auto shape = Integers(env, arguments[2]);
  napi_typedarray_type type;
  size_t length, offset;
  void* values;
  napi_value buffer;
  Check(napi_get_typedarray_info(env, arguments[3], &type, &length, &values, &buffer, &offset));
  const size_t bytes = length * TF_DataTypeSize(dtype);
  const Owned<TF_Tensor> tensor(TF_AllocateTensor(dtype, shape.data(), shape.size(), bytes), TF_DeleteTensor);
  if (TF_TensorByteSize(tensor.get()) != bytes) throw std::runtime_error("A constant's values do not have its shape.");
  std::memcpy(TF_TensorData(tensor.get()), values, bytes);
  Status status;
  TF_OperationDescription* node = NewNode(graph, "Const");
  TF_SetAttrType(node, "dtype", dtype);
  TF_SetAttrTensor(node, "value", tensor.get(), status);
  status.Check();
  return FinishNode(env, graph, node, nullptr);
}

// (graph, name, inputs: id[], outputs: id[], effects: node[]) -> the serialized FunctionDef. Completes and frees the graph:
// JavaScript's garbage collector, which does not know its size, would free it late.
napi_value ToFunction(napi_env env, const Arguments& arguments) {
  Graph& graph = GraphOf(env, arguments[0]);
  const auto inputs = graph.Tensors(env, arguments[2]), outputs = graph.Tensors(env, arguments[3]);
  const auto effects = graph.Nodes(env, arguments[4]);
  Status status;
  const Owned<TF_Function> function(
      TF_GraphToFunctionWithControlOutputs(graph.graph.get(), Text(env, arguments[1]).c_str(), 0, -1, nullptr,
                                           inputs.size(), inputs.data(), outputs.size(), outputs.data(), nullptr,
                                           effects.size(), effects.data(), nullptr, nullptr, nullptr, status),
      TF_DeleteFunction);
  status.Check();
  const Owned<TF_Buffer> definition(TF_NewBuffer(), TF_DeleteBuffer);
  TF_FunctionToFunctionDef(function.get(), definition.get(), status);
  status.Check();
  graph.graph.reset();
  napi_value result;
  Check(napi_create_buffer_copy(env, definition->length, definition->data, nullptr, &result));
  return result;
}

template <napi_value Function(napi_env, const Arguments&)>
napi_value Call(napi_env env, napi_callback_info info) {
  try {
    // Arguments that are not passed are undefined.
    Arguments arguments(6);
    size_t count = arguments.size();
    Check(napi_get_cb_info(env, info, &count, arguments.data(), nullptr, nullptr));
    return Function(env, arguments);
  } catch (const std::exception& error) {
    napi_throw_error(env, nullptr, error.what());
    return nullptr;
  }
}

napi_value Initialize(napi_env env, napi_value exports) {
  const napi_property_descriptor properties[] = {
      {"createGraph", nullptr, Call<CreateGraph>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"kernelDefinition", nullptr, Call<KernelDefinition>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"addNode", nullptr, Call<AddNode>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"addConstant", nullptr, Call<AddConstant>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"toFunction", nullptr, Call<ToFunction>, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, sizeof properties / sizeof *properties, properties);
  return exports;
}

}  // namespace

NAPI_MODULE(graph, Initialize)
