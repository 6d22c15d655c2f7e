package fsm

import "encoding/binary"

// field is one field of Command, and how it is encoded.
type field uint8

const (
	fieldName    field = iota // Name
	fieldHash                 // Value, which is a password's hash
	fieldArg                  // Arg
	fieldKey                  // Key, which is not empty
	fieldValue                // Value
	fieldTTL                  // TTL
	fieldN                    // N
	fieldLimit                // Limit
	fieldVersion              // Version
	fieldNames                // Words: names
	fieldPairs                // Words: keys and values in turn
	fieldAt                   // At
	fieldOld                  // Arg, which is a value
	fieldEqual                // Arg, which is a value, if there is FlagEqual
	fieldTo                   // Arg, which is a key
	fieldNumber               // Value, which is the text of a number
	fieldExec                 // Exec
	fieldSeed                 // Arg, which has the size of a Seed
)

func (c *Command) appendField(dst []byte, f field) []byte {
	switch f {
	case fieldName:
		return appendBytes(dst, c.Name)
	case fieldArg, fieldOld, fieldTo:
		return appendBytes(dst, c.Arg)
	case fieldEqual:
		if c.Flags&FlagEqual != 0 {
			return appendBytes(dst, c.Arg)
		}
	case fieldKey:
		return appendBytes(dst, c.Key)
	case fieldHash, fieldValue, fieldNumber:
		return appendBytes(dst, c.Value)
	case fieldTTL:
		return binary.AppendVarint(dst, c.TTL)
	case fieldAt:
		return binary.AppendVarint(dst, c.At)
	case fieldN:
		return binary.AppendVarint(dst, c.N)
	case fieldLimit:
		return binary.AppendVarint(dst, c.Limit)
	case fieldVersion:
		return binary.AppendUvarint(dst, c.Version)
	case fieldNames, fieldPairs:
		dst = binary.AppendUvarint(dst, uint64(len(c.Words)))
		for _, w := range c.Words {
			dst = appendBytes(dst, w)
		}
	case fieldExec:
		return c.Exec.append(dst)
	case fieldSeed:
		return append(dst, c.Arg...)
	}
	return dst
}

func (c *Command) readField(d *decoder, f field, version byte) {
	switch f {
	case fieldName:
		c.Name = d.name()
	case fieldArg:
		c.Arg = d.name()
	case fieldKey:
		c.Key = d.key()
	case fieldHash, fieldNumber:
		c.Value = d.name()
	case fieldTo:
		c.Arg = d.key()
	case fieldOld:
		c.Arg = d.value()
	case fieldEqual:
		if c.Flags&FlagEqual != 0 {
			c.Arg = d.value()
		}
	case fieldAt:
		c.At = d.varint()
	case fieldValue:
		c.Value = d.value()
	case fieldTTL:
		c.TTL = d.varint()
	case fieldN:
		c.N = d.varint()
	case fieldLimit:
		c.Limit = d.varint()
	case fieldVersion:
		c.Version = d.uvarint()
	case fieldNames, fieldPairs:
		c.Words = d.words(c.Words, f == fieldPairs)
	case fieldExec:
		c.Exec = d.transaction(version)
	case fieldSeed:
		c.Arg = d.exactly(seedSize)
	}
}
