// Package check judges the history of a chaos run. Its checkers take time linear in the number of
// operations (but for sorting a token's own), and blame nothing that some order of what
// overlapped allows; what has no outcome may have happened at any moment after its invocation, or never.
//
//	P1   a limited token served more requests than it had uses, or one use served two
//	P2   more uses are gone than requests can have taken
//	P3   a success began after a revocation was acknowledged
//	P4   a success of a descendant began after an ancestor was seen dead
//	P5   a creation happened twice, or was refused and happened
//	P6   a token was alive after it had been seen dead
//	P8   the nodes hold different tokens after everything is healed
//	P9   a token was served past its deadline and the clocks' bound
//	P10  a node that was well answered an error
//	lost a token that was acknowledged is dead, and nothing can have killed it
//	lin  no order of a tree's operations explains the answers (porcupine)
package check
