package stagetest

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// scribble overwrites everything in a message that is set, in place, so that
// whoever kept a part of it sees other values.
func scribble(m protoreflect.Message) {
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.IsMap(): // none of ours has one
			m.Clear(fd)
		case fd.IsList():
			list := v.List()
			for i := range list.Len() {
				if fd.Message() != nil {
					scribble(list.Get(i).Message())
				} else {
					list.Set(i, other(fd, list.Get(i)))
				}
			}
		case fd.Message() != nil:
			scribble(v.Message())
		default:
			m.Set(fd, other(fd, v))
		}
		return true
	})
}

// other is a value that v is not; bytes are changed where they lie.
func other(fd protoreflect.FieldDescriptor, v protoreflect.Value) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(!v.Bool())
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("overwritten")
	case protoreflect.BytesKind:
		for i, b := range v.Bytes() {
			v.Bytes()[i] = ^b
		}
		return v
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(v.Enum() + 1)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(v.Int()) + 77777)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(v.Uint()) + 77777)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(v.Int() + 77777)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(v.Uint() + 77777)
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(v.Float()) + 77777)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(v.Float() + 77777)
	}
	panic(fmt.Sprintf("a field of kind %v", fd.Kind()))
}

func mustMarshal(v proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(v)
	if err != nil {
		panic(err) // an input of the test's own
	}
	return b
}
