/**
 * The part of the ONNX file format (onnx/onnx.proto3, IR version 8) that the export uses, for encoding with protobufjs.
 * Field names and numbers are those of the specification.
 */
import protobuf from 'protobufjs';

const schema = `
syntax = "proto3";
package onnx;
message AttributeProto {
  string name = 1; float f = 2; int64 i = 3; bytes s = 4; TensorProto t = 5; repeated float floats = 7; repeated int64 ints = 8;
  int32 type = 20;
}
message NodeProto {
  repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4; repeated AttributeProto attribute = 5;
  string domain = 7;
}
message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
message TensorShapeProto {
  message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
  repeated Dimension dim = 1;
}
message TypeProto {
  message Tensor { int32 elem_type = 1; TensorShapeProto shape = 2; }
  Tensor tensor_type = 1;
}
message ValueInfoProto { string name = 1; TypeProto type = 2; string doc_string = 3; }
message GraphProto {
  repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5; string doc_string = 10;
  repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12;
}
message OperatorSetIdProto { string domain = 1; int64 version = 2; }
message StringStringEntryProto { string key = 1; string value = 2; }
message ModelProto {
  int64 ir_version = 1; string producer_name = 2; string producer_version = 3; string doc_string = 6; GraphProto graph = 7;
  repeated OperatorSetIdProto opset_import = 8; repeated StringStringEntryProto metadata_props = 14;
}
`;

/** The message type of a model file; `keepCase` keeps the field names of the specification. */
export const ModelProto = protobuf.parse(schema, { keepCase: true }).root.lookupType('onnx.ModelProto');

/** Values of TensorProto.DataType. */
export const dataTypes = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const;
/** The element type of a tensor. */
export type OnnxType = keyof typeof dataTypes;

/** Values of AttributeProto.AttributeType. */
export const attributeTypes = { float: 1, int: 2, ints: 7 } as const;

/** Version of the file format that matches the opset version. */
export const irVersion = 8;
/** Version of the default operator set: the first with LayerNormalization, supported since onnxruntime 1.12. */
export const opsetVersion = 17;
