package fsm

// commandBuffer is where the commands of one entry are decoded. It is used again for the next entry,
// so that the hot ones cost no memory of their own; what Apply keeps of a command it copies.
type commandBuffer struct {
	commands []Command
	creates  []CreateToken
	uses     []UseToken
	renews   []RenewToken
	revokes  []RevokeToken
}

// items decodes all bodies of an entry before any is applied, so that a bad one changes nothing.
// All texts share one copy of the entry. The commands are good until reset.
func (b *commandBuffer) items(e Entry, entry []byte) ([]Command, error) {
	text := string(entry)
	for _, g := range e.Groups {
		for _, it := range g.Items {
			if f := b.next(it.Kind); f != nil && readFast(f, text[it.at:it.at+len(it.Body)]) {
				b.commands = append(b.commands, f.(Command))
				continue
			}
			c, err := DecodeCommand(it.Kind, it.Body)
			if err != nil {
				return nil, err
			}
			b.commands = append(b.commands, c)
		}
	}
	return b.commands, nil
}

// next returns room for a hot command, nil for any other.
func (b *commandBuffer) next(k Kind) fastCommand {
	switch k {
	case KindCreateToken:
		b.creates = append(b.creates, CreateToken{})
		return &b.creates[len(b.creates)-1]
	case KindUseToken:
		b.uses = append(b.uses, UseToken{})
		return &b.uses[len(b.uses)-1]
	case KindRenewToken:
		b.renews = append(b.renews, RenewToken{})
		return &b.renews[len(b.renews)-1]
	case KindRevokeToken:
		b.revokes = append(b.revokes, RevokeToken{})
		return &b.revokes[len(b.revokes)-1]
	}
	return nil
}

// reset lets go of what the commands refer to.
func (b *commandBuffer) reset() {
	clear(b.commands)
	clear(b.creates)
	clear(b.uses)
	clear(b.renews)
	clear(b.revokes)
	b.commands, b.creates, b.uses, b.renews, b.revokes = b.commands[:0], b.creates[:0], b.uses[:0], b.renews[:0], b.revokes[:0]
}
